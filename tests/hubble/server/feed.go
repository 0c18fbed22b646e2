package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"time"

	flowpb "github.com/cilium/cilium/api/v1/flow"
	observerpb "github.com/cilium/cilium/api/v1/observer"
	v1 "github.com/cilium/cilium/pkg/hubble/api/v1"
	observerTypes "github.com/cilium/cilium/pkg/hubble/observer/types"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

var anyVersion = protojson.UnmarshalOptions{DiscardUnknown: true}

// feed hands on flows and lost events, one Hubble JSON line each, and answers each empty line by
// "taken" once those before it are in the channel. At the end of its input it waits to be killed.
func feed(input io.Reader, node string, events chan<- *observerTypes.MonitorEvent) error {
	lines := bufio.NewScanner(input)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			fmt.Println("taken")
			continue
		}
		response := &observerpb.GetFlowsResponse{}
		if err := anyVersion.Unmarshal(lines.Bytes(), response); err != nil {
			return err
		}
		event := &v1.Event{Timestamp: response.GetTime()}
		if lost := response.GetLostEvents(); lost != nil {
			event.Event = lost
		} else {
			event.Event = response.GetFlow()
			event.Timestamp = response.GetFlow().GetTime()
		}
		events <- &observerTypes.MonitorEvent{NodeName: node, Payload: event}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	select {}
}

// generate makes flows from the lines of a file, in turn, at so many a second, in steps of 5 ms.
func generate(
	path, node string, rate float64, count int, events chan<- *observerTypes.MonitorEvent,
) error {
	templates, err := readFlows(path)
	if err != nil {
		return err
	}
	begin := time.Now()
	for made := 0; count == 0 || made < count; {
		due := int(time.Since(begin).Seconds() * rate)
		if count != 0 {
			due = min(due, count)
		}
		for ; made < due; made++ {
			flow := proto.Clone(templates[made%len(templates)]).(*flowpb.Flow)
			flow.Time = timestamppb.Now()
			flow.NodeName = node
			flow.Uuid = fmt.Sprintf("%s-%d", node, made)
			event := &v1.Event{Timestamp: flow.Time, Event: flow}
			events <- &observerTypes.MonitorEvent{NodeName: node, Payload: event}
		}
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Println("made", count)
	select {}
}

func readFlows(path string) ([]*flowpb.Flow, error) {
	input, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer input.Close()
	var flows []*flowpb.Flow
	lines := bufio.NewScanner(input)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		response := &observerpb.GetFlowsResponse{}
		if err := anyVersion.Unmarshal(lines.Bytes(), response); err != nil {
			return nil, err
		}
		if flow := response.GetFlow(); flow != nil {
			flows = append(flows, flow)
		}
	}
	if len(flows) == 0 {
		return nil, fmt.Errorf("%s holds no flow", path)
	}
	return flows, lines.Err()
}
