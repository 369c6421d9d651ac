// Obeys halts without the SDK, over HTTP; needs Node 18 only. monitor/sdk/WITHOUT-SDK.md explains each step.
// usage: node obey.mjs http://127.0.0.1:8321 PILOT SOURCE DIR 'command that starts the service' 'command that stops it'
import { execSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { signatures } from "./signatures.mjs";
const [to, pilot, stem, dir, start, stop] = process.argv.slice(2);
const { get, post } = signatures(dir);
const [source, halted, lifted] = [`${stem}/${randomUUID()}`, `${dir}/halted`, `${dir}/lifted`];
const uptime = () => Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]); // CLOCK_BOOTTIME: includes sleep
let [standing, up, until, sequence] = [0, false, 0, 0];
async function send(type, data) {
  const event = { specversion: "1.0", id: `${source}-${++sequence}`, source, type: `sandbox.${type}`, subject: pilot, data,
    time: new Date().toISOString(), sequence: String(sequence).padStart(20, "0") };
  await post("telemetry", `${to}/v1/telemetry`, "application/cloudevents+json", JSON.stringify(event));
}
async function turn() {
  const command = await get("command", `${to}/v1/commands/${pilot}?after=${standing}&wait=1`);
  if (command?.standing > standing) {
    if ((command.action === "halt" && !command.dry_run) || unresumed(command.lifted)) obey(command.lifted);
    await send("command.acknowledged", { command: command.id, standing: command.standing, dry_run: command.dry_run });
    standing = command.standing;
  }
  const [nonce, sent] = [randomUUID(), uptime()];
  await send("heartbeat", { nonce, serving: up, exposure: 0 });
  const permit = await get("permit", `${to}/v1/permits/${pilot}?nonce=${nonce}&wait=1`);
  if (permit?.nonce === nonce && permit.standing === standing) until = sent + permit.lease_ms / 1000;
}
const unresumed = (release) => release && !(existsSync(lifted) && readFileSync(lifted, "utf8") === release);
function stand() { execSync(stop); up = false; }
function obey(release) { // the firm resumes by removing `halted`; `lifted` names the release
  stand(); writeFileSync(halted, ""); if (release) writeFileSync(lifted, release);
}
function watch() {
  if (existsSync(halted) || uptime() >= until) { if (up) stand(); } else if (!up) { execSync(start); up = true; }
}
function again() { turn().catch((error) => console.error(`obey: ${error.message}`)).finally(() => setTimeout(again, 200)); }
stand(); // what an earlier start left running
process.on("SIGTERM", () => { stand(); process.exit(); });
setInterval(watch, 100), again(); // the lease ends even if a request hangs
