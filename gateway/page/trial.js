// The form under each method that sends a request to the edge this page came from.

import { example, typeOf } from "./contract.js";
import { node } from "./nodes.js";
import { forget, token } from "./session.js";

export function trial(verb, path, operation, body) {
  const inputs = new Map((operation.parameters ?? []).map((parameter) => [parameter, input(parameter)]));
  const text = body
    ? node("textarea", { value: JSON.stringify(example(body), null, 2), spellcheck: false, ariaLabel: "Body" })
    : null;
  if (text) text.rows = Math.min(24, text.value.split("\n").length + 1);
  const answer = node("pre", { hidden: true });
  const labels = [...inputs].map(([parameter, field]) => node("label", {}, `${parameter.name} `, field));
  const form = node("form", {}, ...labels, text, node("p", {}, node("button", { textContent: "Send" })), answer);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    answer.hidden = false;
    answer.textContent = "…";
    answer.textContent = await send(verb, path, inputs, text?.value);
  });
  return node("details", {}, node("summary", { textContent: "Try it" }), form);
}

function input(parameter) {
  const value = parameter.name === "Idempotency-Key" ? crypto.randomUUID?.() ?? "" : "";
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
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  if (token()) headers.authorization = `Bearer ${token()}`;
  for (const [parameter, field] of inputs) {
    if (parameter.in === "header" && field.value) headers[parameter.name] = field.value;
  }
  return headers;
}

async function send(verb, path, inputs, body) {
  try {
    const headers = headersOf(inputs, body);
    const reply = await fetch(address(path, inputs), { method: verb.toUpperCase(), headers, body });
    if (reply.status === 401 && headers.authorization) forget("The token is no longer good: log in again.");
    return `${reply.status}  x-request-id: ${reply.headers.get("x-request-id")}\n\n${pretty(await reply.text())}`;
  } catch (failure) {
    return String(failure);
  }
}

function pretty(content) {
  try {
    return JSON.stringify(JSON.parse(content), null, 2);
  } catch {
    return content; // Not JSON: as it came.
  }
}
