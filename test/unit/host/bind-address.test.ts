import { expect, test } from "vitest";
import { bindAddress } from "../../../src/host/config/bind-address.ts";

const entry = (address: string, family: "IPv4" | "IPv6", scopeid?: number) => ({ address, family, scopeid });
const interfaces = {
  lo: [entry("127.0.0.1", "IPv4"), entry("::1", "IPv6", 0)],
  eth0: [entry("fe80::1", "IPv6", 2), entry("2001:db8::7", "IPv6", 0), entry("10.0.0.4", "IPv4")],
  wg0: [entry("fe80::2", "IPv6", 3), entry("fd00::7", "IPv6", 0)],
  down: [],
};

test.each([
  ["lo", "127.0.0.1"],
  ["eth0", "10.0.0.4"],
  ["wg0", "fd00::7"],
  ["down", "down"],
  ["10.0.0.4", "10.0.0.4"],
  ["0.0.0.0", "0.0.0.0"],
  ["::", "::"],
  ["node-a.example", "node-a.example"],
  ["constructor", "constructor"],
])("%s listens on %s", (text, address) => {
  expect(bindAddress(text, interfaces)).toBe(address);
});

test("this machine's loopback interface is known by its name", () => {
  expect(bindAddress("lo")).toBe("127.0.0.1");
});
