// The form under each method that sends a request to the edge this page came from.

import { example, typeOf } from "./contract.js";
import { node } from "./nodes.js";
import { forget, token } from "./session.js";

const JSON_TYPE = "application/json";

export function trial(verb, path, operation, body) {
  const inputs = new Map((operation.parameters ?? []).map((parameter) => [parameter, input(parameter)]));
  const text = body
    ? node("textarea", { value: firstBody(body), spellcheck: false, ariaLabel: "Body" })
    : null;
  if (text) text.rows = Math.min(24, text.value.split("\n").length + 1);
  const answer = node("pre", { hidden: true });
  const labels = [...inputs].map(([parameter, field]) => node("label", {}, `${parameter.name} `, field));
  const form = node("form", {}, ...labels, text, node("p", {}, node("button", { textContent: "Send" })), answer);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    answer.hidden = false;
    answer.textContent = "…";
    await send(verb, address(path, inputs), headersOf(inputs, body), text?.value, (content) => {
      answer.textContent = content;
    });
  });
  return node("details", {}, node("summary", { textContent: "Try it" }), form);
}

function firstBody(body) {
  return body.type === JSON_TYPE ? JSON.stringify(body.example ?? example(body.schema), null, 2) : "";
}

function input(parameter) {
  const value = parameter.name === "Idempotency-Key" ? crypto.randomUUID?.() ?? "" : parameter.example ?? "";
  const placeholder = parameter.schema.type === "array" ? "one, two" : typeOf(parameter.schema);
  return node("input", { placeholder, value, title: parameter.description ?? "", required: parameter.required ?? false });
}

function address(path, inputs) {
  const url = new URL(path.replace(/\{([\w.]+)\}/g, (_, name) => {
    const field = [...inputs].find(([parameter]) => parameter.in === "path" && parameter.name === name)?.[1];
    return encodeURIComponent(field?.value ?? "");
  }), location.origin);
  for (const [parameter, field] of inputs) {
    if (parameter.in !== "query") continue;
    const values = parameter.schema.type === "array" ? field.value.split(/[\s,]+/) : [field.value];
    values.filter(Boolean).forEach((value) => url.searchParams.append(parameter.name, value));
  }
  return url;
}

function headersOf(inputs, body) {
  const headers = body ? { "content-type": body.type === JSON_TYPE ? JSON_TYPE : "application/octet-stream" } : {};
  if (token()) headers.authorization = `Bearer ${token()}`;
  for (const [parameter, field] of inputs) {
    if (parameter.in === "header" && field.value) headers[parameter.name] = field.value;
  }
  return headers;
}

// Tells `show` what there is to see; a stream tells it again with each event.
async function send(verb, url, headers, body, show) {
  try {
    const reply = await fetch(url, { method: verb.toUpperCase(), headers, body });
    if (reply.status === 401 && headers.authorization) forget("The token is no longer good: log in again.");
    const first = `${reply.status}  x-request-id: ${reply.headers.get("x-request-id")}\n\n`;
    const streams = reply.headers.get("content-type")?.startsWith("text/event-stream");
    if (!streams) return show(first + pretty(await reply.text()));
    return await follow(reply.body.pipeThrough(new TextDecoderStream()), (events) => show(first + events));
  } catch (failure) {
    return show(String(failure));
  }
}

async function follow(stream, show) {
  let events = "";
  const reader = stream.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) show(events += part.value);
}

function pretty(content) {
  try {
    return JSON.stringify(JSON.parse(content), null, 2);
  } catch {
    return content; // Not JSON: as it came.
  }
}
