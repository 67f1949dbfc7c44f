import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { connect, type ConnectionState } from "../src/gpu/connection.ts";
import { DeviceSource } from "../src/gpu/device.ts";

/** A socket that opens only where `reachable` says so; a kernel process speaks first. */
class FakeSocket extends EventTarget {
  static readonly OPEN = 1;
  static readonly opened: FakeSocket[] = [];
  static readonly attempts: string[] = [];
  static reachable: (address: string) => boolean = () => false;
  /** A proxy that has nobody behind it: it opens and closes. */
  static silent = false;

  binaryType = "blob";
  readyState = 0;
  readonly sent: string[] = [];

  constructor(readonly address: string) {
    super();
    FakeSocket.attempts.push(address);
    queueMicrotask(() => {
      if (!FakeSocket.reachable(address)) {
        this.close();
        return;
      }
      this.readyState = FakeSocket.OPEN;
      FakeSocket.opened.push(this);
      if (FakeSocket.silent) this.close();
      else this.dispatchEvent(new MessageEvent("message", { data: '{"kind":"ping","id":0}' }));
    });
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(code = 1000): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event("close"), { code }));
  }

  receive(data: string | ArrayBuffer): void {
    this.dispatchEvent(new MessageEvent("message", { data }));
  }
}

function start(addresses: readonly string[], signal: AbortSignal, comm?: MessagePort) {
  const states: ConnectionState[] = [];
  const ended = connect({
    addresses,
    comm,
    where: "page",
    source: new DeviceSource(),
    signal,
    onState: (state) => states.push(state),
    onGpu: () => undefined,
    pauses: [1, 1],
  });
  return { states, ended };
}

beforeEach(() => {
  FakeSocket.opened.length = 0;
  FakeSocket.attempts.length = 0;
  FakeSocket.reachable = () => false;
  FakeSocket.silent = false;
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.stubGlobal("isSecureContext", false);
  vi.stubGlobal("navigator", { userAgent: "test" });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("connect", () => {
  it("tries every address in every round, then stops", async () => {
    FakeSocket.reachable = () => false;
    const { states, ended } = start(["ws://a", "ws://b"], new AbortController().signal);
    await ended;

    expect(FakeSocket.attempts).toEqual(["ws://a", "ws://b", "ws://a", "ws://b", "ws://a", "ws://b"]);
    expect(states.at(-1)).toBe("stopped");
  });

  it("greets with the reason where there is no GPU", async () => {
    FakeSocket.reachable = () => true;
    const stop = new AbortController();
    start(["ws://a"], stop.signal);
    await vi.waitUntil(() => (FakeSocket.opened[0]?.sent.length ?? 0) > 1);
    stop.abort();

    expect(JSON.parse(FakeSocket.opened[0]?.sent[1] ?? "")).toMatchObject({
      kind: "hello",
      gpu: { available: false, cause: expect.stringContaining("secure context") as string },
    });
  });

  it("gives up a proxy that nobody listens behind", async () => {
    FakeSocket.reachable = () => true;
    FakeSocket.silent = true;
    const { states, ended } = start(["ws://a"], new AbortController().signal);
    await ended;

    expect(FakeSocket.attempts).toHaveLength(3);
    expect(states).not.toContain("connected");
  });

  it("goes through the notebook where no address leads anywhere, until another page does", async () => {
    const { port1, port2 } = new MessageChannel();
    const signs: string[] = [];
    port1.onmessage = ({ data }: MessageEvent<string | { readonly kind: string }>) => {
      const { kind } = typeof data === "string" ? (JSON.parse(data) as { kind: string }) : data;
      signs.push(kind);
      if (kind === "open") port1.postMessage(JSON.stringify([{ kind: "ping", id: 0 }]));
    };
    const { states, ended } = start(["ws://a"], new AbortController().signal, port2);
    await vi.waitUntil(() => signs.length === 3);
    port1.postMessage({ kind: "close", code: 1001 });
    await vi.waitUntil(() => signs.length === 6);
    port1.postMessage({ kind: "close", code: 4003 });
    await ended;
    port1.close();

    expect(states.filter((state) => state === "connected")).toHaveLength(2);
    expect(signs).toEqual(["open", "pong", "hello", "open", "pong", "hello"]);
    expect(states.at(-1)).toBe("stopped");
  });

  it("passes over an address that the browser refuses", async () => {
    vi.stubGlobal("WebSocket", function refuse() { throw new DOMException("mixed content"); });
    const { states, ended } = start(["ws://a"], new AbortController().signal);
    await ended;

    expect(states.at(-1)).toBe("stopped");
  });

  it("returns first to the address that worked", async () => {
    FakeSocket.reachable = (address) => address === "ws://b";
    const stop = new AbortController();
    start(["ws://a", "ws://b"], stop.signal);
    await vi.waitUntil(() => FakeSocket.opened.length === 1);
    FakeSocket.opened[0]?.close();
    await vi.waitUntil(() => FakeSocket.opened.length === 2);
    stop.abort();

    expect(FakeSocket.attempts).toEqual(["ws://a", "ws://b", "ws://b"]);
  });

  it("goes where the process is of another version of the package", async () => {
    FakeSocket.reachable = () => true;
    const { states, ended } = start(["ws://a"], new AbortController().signal);
    await vi.waitUntil(() => FakeSocket.opened.length === 1);
    FakeSocket.opened[0]?.close(4001);
    await ended;

    expect(states.at(-1)).toBe("outdated");
    expect(FakeSocket.attempts).toEqual(["ws://a"]);
  });

  it("closes a socket that brings what is no message, and rejoins", async () => {
    FakeSocket.reachable = () => true;
    const stop = new AbortController();
    start(["ws://a"], stop.signal);
    const odd = ["{", "[1]", "null", '{"kind": "reboot", "id": 1}', new ArrayBuffer(3)];
    for (const [n, data] of odd.entries()) {
      await vi.waitUntil(() => FakeSocket.opened.length === n + 1);
      FakeSocket.opened[n]?.receive(data);
      expect(FakeSocket.opened[n]?.readyState).toBe(3);
    }
    await vi.waitUntil(() => FakeSocket.opened.length === odd.length + 1);
    stop.abort();
  });

  it("closes its socket and tries no more once it is aborted", async () => {
    FakeSocket.reachable = () => true;
    const stop = new AbortController();
    const { states, ended } = start(["ws://a"], stop.signal);
    await vi.waitUntil(() => FakeSocket.opened.length === 1);
    stop.abort();
    await ended;

    expect(FakeSocket.opened[0]?.readyState).toBe(3);
    expect(FakeSocket.attempts).toEqual(["ws://a"]);
    expect(states.at(-1)).toBe("stopped");
  });
});
