package main

import (
	"bufio"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	peerpb "github.com/cilium/cilium/api/v1/peer"
	"github.com/cilium/cilium/hubble-relay/cmd"
	"google.golang.org/grpc"
)

func relay(arguments []string) error {
	flags := flag.NewFlagSet("relay", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:4245", "host:port")
	health := flags.String("health", "127.0.0.1:0", "host:port of the health service")
	socket := flags.String("peers", "", "unix:///path on which the peer service listens")
	tlsDir := flags.String("tls-dir", "", "folder of the certificates; plain without it")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	listener, err := net.Listen("unix", strings.TrimPrefix(*socket, "unix://"))
	if err != nil {
		return err
	}
	peers := &peers{known: map[string]*peerpb.ChangeNotification{}, tls: *tlsDir != ""}
	served := grpc.NewServer()
	peerpb.RegisterPeerServer(served, peers)
	go func() {
		if err := served.Serve(listener); err != nil {
			fail(err)
		}
	}()
	go peers.follow(bufio.NewScanner(os.Stdin))

	options := []string{
		"serve", "--gops=false", "--log-level=error",
		"--peer-service", *socket,
		"--listen-address", *listen,
		"--health-listen-address", *health,
		"--retry-timeout", "1s",
	}
	if *tlsDir == "" {
		options = append(options, "--disable-client-tls", "--disable-server-tls")
	} else {
		options = append(
			options,
			"--tls-relay-server-cert-file", filepath.Join(*tlsDir, "server.crt"),
			"--tls-relay-server-key-file", filepath.Join(*tlsDir, "server.key"),
			"--tls-relay-client-ca-files", filepath.Join(*tlsDir, "ca.crt"),
			"--tls-hubble-client-cert-file", filepath.Join(*tlsDir, "client.crt"),
			"--tls-hubble-client-key-file", filepath.Join(*tlsDir, "client.key"),
			"--tls-hubble-server-ca-files", filepath.Join(*tlsDir, "ca.crt"),
		)
	}
	fmt.Println("ready")
	command := cmd.New()
	command.SetArgs(options)
	return command.Execute()
}

// peers is the peer service of a cluster whose nodes come and go as standard input says.
type peers struct {
	peerpb.UnimplementedPeerServer
	tls      bool
	lock     sync.Mutex
	known    map[string]*peerpb.ChangeNotification
	watchers []chan *peerpb.ChangeNotification
}

func (p *peers) Notify(_ *peerpb.NotifyRequest, stream peerpb.Peer_NotifyServer) error {
	changes := make(chan *peerpb.ChangeNotification, 1000)
	p.lock.Lock()
	for _, added := range p.known {
		changes <- added
	}
	p.watchers = append(p.watchers, changes)
	p.lock.Unlock()
	for {
		select {
		case change := <-changes:
			if err := stream.Send(change); err != nil {
				return err
			}
		case <-stream.Context().Done():
			return nil
		}
	}
}

func (p *peers) follow(lines *bufio.Scanner) {
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		p.lock.Lock()
		var change *peerpb.ChangeNotification
		switch {
		case len(words) == 3 && words[0] == "add":
			change = &peerpb.ChangeNotification{
				Name: words[1], Address: words[2], Type: peerpb.ChangeNotificationType_PEER_ADDED,
			}
			if p.tls {
				name := strings.ReplaceAll(words[1], ".", "-") + ".default.hubble-grpc.cilium.io"
				change.Tls = &peerpb.TLS{ServerName: name}
			}
			p.known[words[1]] = change
		case len(words) == 2 && words[0] == "delete":
			delete(p.known, words[1])
			change = &peerpb.ChangeNotification{
				Name: words[1], Type: peerpb.ChangeNotificationType_PEER_DELETED,
			}
		default:
			fail(fmt.Errorf("neither add nor delete: %q", lines.Text()))
		}
		for _, watcher := range p.watchers {
			watcher <- change
		}
		p.lock.Unlock()
	}
}
