// @vitest-environment jsdom
import { describe, expect, it } from "vitest";
import { addressesOf, jupyterBaseUrl } from "../src/page.ts";

const server = { port: 4567, token: "secret" };
const direct = "ws://127.0.0.1:4567/secret/ws";

describe("addressesOf", () => {
  it("tries the direct way first on this machine", () => {
    const place = { protocol: "http:", host: "localhost:8888", hostname: "localhost" };

    expect(addressesOf(server, place, "/")).toEqual([
      direct,
      "ws://localhost:8888/proxy/4567/secret/ws",
    ]);
  });

  it("tries the notebook's own origin first on a hub, encrypted as the page is", () => {
    const place = { protocol: "https:", host: "hub.example", hostname: "hub.example" };

    expect(addressesOf(server, place, "/user/ada/")).toEqual([
      "wss://hub.example/user/ada/proxy/4567/secret/ws",
      direct,
    ]);
  });
});

describe("jupyterBaseUrl", () => {
  function page(html: string): Document {
    return new DOMParser().parseFromString(html, "text/html");
  }

  it("reads JupyterLab's configuration", () => {
    const config = '<script id="jupyter-config-data">{"baseUrl": "/user/ada"}</script>';

    expect(jupyterBaseUrl(page(config))).toBe("/user/ada/");
  });

  it("reads the classic notebook's attribute", () => {
    expect(jupyterBaseUrl(page('<body data-base-url="/tree/"></body>'))).toBe("/tree/");
  });

  it("is the root elsewhere", () => {
    expect(jupyterBaseUrl(page(""))).toBe("/");
  });
});
