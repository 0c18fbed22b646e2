package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cilium/cilium/pkg/crypto/certloader"
	v1 "github.com/cilium/cilium/pkg/hubble/api/v1"
	"github.com/cilium/cilium/pkg/hubble/container"
	"github.com/cilium/cilium/pkg/hubble/observer"
	"github.com/cilium/cilium/pkg/hubble/observer/namespace"
	"github.com/cilium/cilium/pkg/hubble/observer/observeroption"
	observerTypes "github.com/cilium/cilium/pkg/hubble/observer/types"
	"github.com/cilium/cilium/pkg/hubble/server"
	"github.com/cilium/cilium/pkg/hubble/server/serveroption"
	nodeTypes "github.com/cilium/cilium/pkg/node/types"
)

// carried is the decoder of events that are decoded already.
type carried struct{}

func (carried) Decode(event *observerTypes.MonitorEvent) (*v1.Event, error) {
	return event.Payload.(*v1.Event), nil
}

func agent(arguments []string) error {
	flags := flag.NewFlagSet("agent", flag.ExitOnError)
	listen := flags.String("listen", "", "unix:///path or host:port")
	node := flags.String("node", "worker-1", "name of the node")
	ring := flags.Int("ring", 4095, "capacity of the ring, a power of two less one")
	tlsDir := flags.String("tls-dir", "", "folder of the certificates; plain without it")
	templates := flags.String("templates", "", "file of Hubble JSON lines to make flows from")
	rate := flags.Float64("rate", 0, "flows a second")
	count := flags.Int("count", 0, "flows to make; 0 for no end")
	if err := flags.Parse(arguments); err != nil {
		return err
	}

	nodeTypes.SetName(*node)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	capacity, err := container.NewCapacity(*ring)
	if err != nil {
		return err
	}
	local, err := observer.NewLocalServer(
		carried{}, namespace.NewManager(), log,
		observeroption.WithMaxFlows(capacity),
		// As agents are configured by default.
		observeroption.WithLostEventSendInterval(time.Second),
	)
	if err != nil {
		return err
	}
	options := []serveroption.Option{
		serveroption.WithHealthService(),
		serveroption.WithObserverService(local),
	}
	if path, isSocket := strings.CutPrefix(*listen, "unix://"); isSocket {
		options = append(options, serveroption.WithUnixSocketListener(log, path))
	} else {
		options = append(options, serveroption.WithTCPListener(*listen))
	}
	if *tlsDir == "" {
		options = append(options, serveroption.WithInsecure())
	} else {
		config, err := certloader.NewWatchedServerConfig(
			log,
			[]string{filepath.Join(*tlsDir, "ca.crt")},
			filepath.Join(*tlsDir, "server.crt"),
			filepath.Join(*tlsDir, "server.key"),
		)
		if err != nil {
			return err
		}
		options = append(options, serveroption.WithServerTLS(config))
	}
	served, err := server.NewServer(log, options...)
	if err != nil {
		return err
	}
	go local.Start()
	go func() {
		if err := served.Serve(); err != nil {
			fail(err)
		}
	}()
	fmt.Println("ready")
	events := local.GetEventsChannel()
	if *templates == "" {
		return feed(os.Stdin, *node, events)
	}
	return generate(*templates, *node, *rate, *count, events)
}
