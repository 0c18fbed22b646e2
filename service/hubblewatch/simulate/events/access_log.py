"""The proxy's access log records: the `l7` member and the summary."""

from __future__ import annotations

from hubblewatch.simulate.connections import DnsQuestion, HttpExchange

_NO_TTL = 4_294_967_295


def _headers(code: int | None) -> str:
    if code is None:
        return (
            '[{"key":"User-Agent","value":"Go-http-client/1.1"},'
            '{"key":"X-Forwarded-Proto","value":"http"}]'
        )
    return '[{"key":"Content-Type","value":"application/json"}]'


def http_request(exchange: HttpExchange) -> tuple[str, str]:
    """Record and summary of a request."""
    record = (
        f'{{"type":"REQUEST","http":{{"method":"{exchange.method}","url":"{exchange.url}",'
        f'"protocol":"HTTP/1.1","headers":{_headers(None)}}}}}'
    )
    return record, f"HTTP/1.1 {exchange.method} {exchange.url}"


def http_answer(exchange: HttpExchange, latency_ns: int) -> tuple[str, str]:
    """Record and summary of an answer; 64-bit integers are strings in protobuf's JSON."""
    record = (
        f'{{"type":"RESPONSE","latency_ns":"{latency_ns}","http":{{"code":{exchange.code},'
        f'"method":"{exchange.method}","url":"{exchange.url}","protocol":"HTTP/1.1",'
        f'"headers":{_headers(exchange.code)}}}}}'
    )
    milliseconds = latency_ns // 1_000_000
    return (
        record,
        f"HTTP/1.1 {exchange.code} {milliseconds}ms ({exchange.method} {exchange.url})",
    )


def _kind(number: int) -> str:
    return "AAAA" if number % 2 else "A"


def dns_query(question: DnsQuestion, number: int) -> tuple[str, str]:
    """Record and summary of the query; even numbers ask for A, odd ones for AAAA."""
    kind = _kind(number)
    record = (
        f'{{"type":"REQUEST","dns":{{"query":"{question.query}","observation_source":"proxy",'
        f'"qtypes":["{kind}"]}}}}'
    )
    return record, f"DNS Query {question.query} {kind}"


def dns_answer(question: DnsQuestion, number: int, latency_ns: int) -> tuple[str, str]:
    """Record and summary of the answer; rcode 0 is left out as a zero."""
    kind = _kind(number)
    asked = f"(Proxy {question.query} {kind})"
    members = f'"query":"{question.query}"'
    if question.rcode == 0 and kind == "A":
        members += f',"ips":["{question.address}"],"ttl":30'
        summary = f'DNS Answer \\"{question.address}\\" TTL: 30 {asked}'
    else:
        members += f',"ttl":{_NO_TTL}'
        text = "RCode: Non-Existent Domain " if question.rcode == 3 else " "
        summary = f"DNS Answer {text}TTL: {_NO_TTL} {asked}"
    members += ',"observation_source":"proxy"'
    if question.rcode:
        members += f',"rcode":{question.rcode}'
    members += f',"qtypes":["{kind}"]'
    if question.rcode == 0 and kind == "A":
        members += ',"rrtypes":["A"]'
    return f'{{"type":"RESPONSE","latency_ns":"{latency_ns}","dns":{{{members}}}}}', summary
