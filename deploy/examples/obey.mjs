// Obeys halts without the SDK, over HTTP: Node 18 or newer and nothing else. See monitor/sdk/WITHOUT-SDK.md.
// usage: [KEY=our-key-file] node obey.mjs http://127.0.0.1:8321 PILOT SOURCE ed25519:AUTHORITY-KEY STATE-FILE 'start command' 'stop command'
import { createHash, createPrivateKey, createPublicKey, randomBytes, sign, verify } from "node:crypto";
import { execSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const [to, pilot, stem, trust, file, start, stop] = process.argv.slice(2);
const source = `${stem}/${Date.now()}-${process.pid}`; // a new name for each start, so that its numbers may begin at 1
const authority = createPublicKey({ key: Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), Buffer.from(trust.replace("ed25519:", ""), "base64")]), format: "der", type: "spki" });
const own = process.env.KEY && createPrivateKey({ key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), readFileSync(process.env.KEY)]), format: "der", type: "pkcs8" });
const name = own && createHash("sha256").update(createPublicKey(own).export({ format: "der", type: "spki" }).subarray(-32)).digest("hex").slice(0, 16);
const uptime = () => Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]); // CLOCK_BOOTTIME: counts through sleep
const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
let [known, standing, halted, answered, up, until, sequence] = [false, 0, "", 0, false, 0, 0];

async function ask(kind, query) { // a command or permit that the authority signed, null when there is none
  const answer = await fetch(`${to}/v1/${kind}s/${pilot}?${query}`);
  if (answer.status === 204) return null;
  const body = Buffer.from(await answer.arrayBuffer());
  const signature = Buffer.from((answer.headers.get("sandbox-signature") ?? "").split(":")[1] ?? "", "base64");
  const signed = Buffer.concat([Buffer.from(`sandbox-monitor/1 ${kind}\n`), body]);
  if (answer.status !== 200 || !verify(null, signed, authority, signature)) throw new Error(`a ${kind} was not believed`);
  return JSON.parse(body);
}
async function send(type, data) {
  const event = { specversion: "1.0", id: `${source}-${++sequence}`, source, type: `sandbox.${type}`, subject: pilot, time: new Date().toISOString(), sequence: String(sequence).padStart(20, "0"), data };
  const [body, headers] = [JSON.stringify(event), { "content-type": "application/cloudevents+json" }];
  if (own) headers["sandbox-signature"] = `${name}:${sign(null, Buffer.from(`sandbox-monitor/1 telemetry\n${body}`), own).toString("base64")}`;
  const answer = await fetch(`${to}/v1/telemetry`, { method: "POST", headers, body });
  if (answer.status !== 202) throw new Error(`${type} was answered ${answer.status}`);
}
function stand() { if (up) { execSync(stop); up = false; } }
execSync(stop); // what an earlier start of ours left running, should we have been killed
process.on("SIGTERM", () => { stand(); process.exit(0); });

async function obey() { // before serving, and for ever: the command of the highest standing; acknowledged after it is obeyed
  const command = await ask("command", `after=${known ? standing : -1}&wait=${known ? 20 : 0}`);
  if (command) {
    [standing, halted] = [command.standing, command.action === "halt" && !command.dry_run ? command.decision : ""];
    if (halted) { stand(); writeFileSync(file, halted); } // stays after a release: removing it is how the firm resumes
    if (standing > answered) await send("command.acknowledged", { command: command.id, standing, dry_run: command.dry_run });
    answered = standing;
  }
  known = true;
}
async function live() { // show that we live, and serve only under the permit that answers exactly this heartbeat
  const [nonce, sent] = [randomBytes(12).toString("hex"), uptime()];
  await send("heartbeat", { nonce, serving: up, exposure: 0 });
  const permit = await ask("permit", `nonce=${nonce}&wait=1`);
  if (permit?.pilot === pilot && permit.standing === standing) until = sent + permit.lease_ms / 1000;
}
const told = (error) => (console.error(`obey: ${error.message}`), pause(1));
(async () => { for (;;) await obey().catch(told); })();
(async () => { for (;;) { if (known) await live().catch(told); await pause(0.5); } })();
for (;;) { // the lease ends by itself, whatever hangs
  if (halted || existsSync(file) || uptime() >= until) stand();
  else if (!up && known) { execSync(start); up = true; }
  await pause(0.1);
}
