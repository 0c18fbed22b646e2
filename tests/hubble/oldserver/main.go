// Command oldserver runs the observer of a Cilium agent of version 1.15 on this machine.
//
//	oldserver -listen unix:///tmp/a.sock -node worker-1 [-ring 4095]
//
// It takes Hubble JSON lines from standard input, says "ready" on standard output, and answers each
// empty line by "taken" once those before it are in the ring.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	observerpb "github.com/cilium/cilium/api/v1/observer"
	v1 "github.com/cilium/cilium/pkg/hubble/api/v1"
	"github.com/cilium/cilium/pkg/hubble/container"
	"github.com/cilium/cilium/pkg/hubble/observer"
	"github.com/cilium/cilium/pkg/hubble/observer/observeroption"
	"github.com/cilium/cilium/pkg/hubble/server"
	"github.com/cilium/cilium/pkg/hubble/server/serveroption"
	nodeTypes "github.com/cilium/cilium/pkg/node/types"
	"github.com/sirupsen/logrus"
	"google.golang.org/protobuf/encoding/protojson"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "oldserver:", err)
		os.Exit(1)
	}
}

func run() error {
	listen := flag.String("listen", "", "unix:///path or host:port")
	node := flag.String("node", "worker-1", "name of the node")
	ring := flag.Int("ring", 4095, "capacity of the ring, a power of two less one")
	flag.Parse()

	nodeTypes.SetName(*node)
	log := logrus.New()
	log.SetOutput(io.Discard)
	capacity, err := container.NewCapacity(*ring)
	if err != nil {
		return err
	}
	local, err := observer.NewLocalServer(
		nil, observer.NewNamespaceManager(), log, observeroption.WithMaxFlows(capacity),
	)
	if err != nil {
		return err
	}
	listener := serveroption.WithTCPListener(*listen)
	if path, isSocket := strings.CutPrefix(*listen, "unix://"); isSocket {
		listener = serveroption.WithUnixSocketListener(path)
	}
	served, err := server.NewServer(
		log, listener, serveroption.WithInsecure(), serveroption.WithObserverService(local),
	)
	if err != nil {
		return err
	}
	go func() {
		if err := served.Serve(); err != nil {
			panic(err)
		}
	}()
	fmt.Println("ready")

	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	anyVersion := protojson.UnmarshalOptions{DiscardUnknown: true}
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			fmt.Println("taken")
			continue
		}
		response := &observerpb.GetFlowsResponse{}
		if err := anyVersion.Unmarshal(lines.Bytes(), response); err != nil {
			return err
		}
		flow := response.GetFlow()
		local.GetRingBuffer().Write(&v1.Event{Timestamp: flow.GetTime(), Event: flow})
	}
	if err := lines.Err(); err != nil {
		return err
	}
	select {}
}
