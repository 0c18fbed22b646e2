// Command server runs Cilium's own Hubble: the observer of an agent, or Relay, on this machine.
//
//	server agent -listen unix:///tmp/a.sock -node worker-1 [-ring 4095] [-tls-dir DIR]
//	server agent -listen 127.0.0.1:4244 -node worker-1 -templates flows.jsonl -rate 1000 [-count N]
//	server relay -listen 127.0.0.1:4245 -peers unix:///tmp/peers.sock [-tls-dir DIR]
//
// An agent without -templates takes Hubble JSON lines from standard input. With them it makes flows
// of its own, each with the time of its making and the uuid NODE-NUMBER, counted from 0. Relay reads
// "add NAME ADDRESS" and "delete NAME" from standard input. Both say "ready" on standard output.
//
// A DIR for TLS holds ca.crt, server.crt and server.key, and client.crt and client.key where Relay
// speaks to its agents; clients must show a certificate.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("say agent or relay"))
	}
	var err error
	switch os.Args[1] {
	case "agent":
		err = agent(os.Args[2:])
	case "relay":
		err = relay(os.Args[2:])
	default:
		err = fmt.Errorf("%s is neither agent nor relay", os.Args[1])
	}
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "server:", err)
	os.Exit(1)
}
