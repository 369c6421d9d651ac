// HTTP with Ed25519 signatures in both directions; imported by obey.mjs. DIR holds authority.pem and firm.pem.
import { createHash, createPublicKey, sign, verify } from "node:crypto";
import { readFileSync } from "node:fs";

export function signatures(dir) {
  const [authority, own] = [readFileSync(`${dir}/authority.pem`), readFileSync(`${dir}/firm.pem`)];
  const raw = createPublicKey(own).export({ format: "der", type: "spki" }).subarray(-32);
  const keyId = createHash("sha256").update(raw).digest("hex").slice(0, 16);
  const signed = (kind, body) => Buffer.from(`sandbox-monitor/1 ${kind}\n${body}`);
  const soon = () => AbortSignal.timeout(10_000);

  async function get(kind, url) { // a message that the authority signed, null when there is none
    const answer = await fetch(url, { signal: soon() });
    if (answer.status === 204) return null;
    const [body, signature] = [await answer.text(), answer.headers.get("sandbox-signature")?.split(":")[1] ?? ""];
    const valid = verify(null, signed(kind, body), authority, Buffer.from(signature, "base64"));
    if (!valid) throw new Error(`rejected a ${kind}: signature not valid`);
    return JSON.parse(body);
  }
  async function post(kind, url, type, body) { // resolves when it is durable
    const signature = sign(null, signed(kind, body), own).toString("base64");
    const headers = { "content-type": type, "sandbox-signature": `${keyId}:${signature}` };
    const answer = await fetch(url, { method: "POST", headers, body, signal: soon() });
    if (answer.status !== 202) throw new Error(`${kind}: status ${answer.status}: ${await answer.text()}`);
  }
  return { get, post };
}
