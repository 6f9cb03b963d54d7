// Shows /openapi.json, and sends requests to the edge this page came from. The token stays in this tab.
"use strict";

const TOKEN = "ordermesh.token";
let api;

function node(tag, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children.filter((child) => child !== null));
  return made;
}

function resolve(schema) {
  if (schema?.allOf) return { ...schema, ...resolve(schema.allOf[0]) };
  return schema?.$ref ? api.components.schemas[schema.$ref.split("/").pop()] : schema;
}

function typeOf(schema) {
  if (schema?.$ref) return schema.$ref.split("/").pop();
  if (schema?.allOf) return typeOf(schema.allOf[0]);
  if (schema?.type === "array") return `${typeOf(schema.items)}[]`;
  if (schema?.enum) return schema.enum.join(" | ");
  return schema?.format ?? schema?.type ?? "object";
}

// A value of the right shape, for the text area that a request starts from.
function example(schema, depth = 0) {
  const found = resolve(schema) ?? {};
  if (depth > 4) return null;
  if (found.type === "array") return [example(found.items, depth + 1)];
  if (found.enum) return found.enum[0];
  if (found.type === "object" || found.properties) {
    const required = found.required ?? Object.keys(found.properties ?? {});
    return Object.fromEntries(
      Object.entries(found.properties ?? {})
        .filter(([name]) => depth === 0 || required.includes(name))
        .map(([name, property]) => [name, example(property, depth + 1)]),
    );
  }
  return { integer: 1, number: 1, boolean: false }[found.type] ?? "";
}

function fields(title, rows) {
  if (!rows.length) return null;
  const body = rows.map(([name, type, description]) =>
    node("tr", {}, node("td", {}, node("code", { textContent: name })), node("td", { textContent: type }),
      node("td", { textContent: description ?? "" })));
  return node("details", {}, node("summary", { textContent: title }), node("table", {}, ...body));
}

function fieldsOf(title, schema) {
  const found = resolve(schema);
  const items = found?.type === "array" ? resolve(found.items) : found;
  return fields(title, Object.entries(items?.properties ?? {}).map(([name, property]) =>
    [name, typeOf(property), property.description ?? resolve(property)?.description]));
}

function trial(verb, path, operation, body) {
  const inputs = new Map();
  const form = node("form", {});
  for (const parameter of operation.parameters ?? []) {
    const value = parameter.name === "Idempotency-Key" ? crypto.randomUUID() : "";
    const input = node("input", { placeholder: parameter.name, title: parameter.description ?? "", value });
    inputs.set(parameter, input);
    form.append(input, " ");
  }
  const text = body ? node("textarea", { value: JSON.stringify(example(body), null, 2), spellcheck: false }) : null;
  const answer = node("pre", { hidden: true });
  form.append(...(text ? [text] : []), node("p", {}, node("button", { textContent: "Send" })), answer);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    answer.hidden = false;
    answer.textContent = "…";
    answer.textContent = await send(verb, path, inputs, text?.value);
  });
  return node("details", {}, node("summary", { textContent: "Try it" }), form);
}

async function send(verb, path, inputs, body) {
  const url = new URL(path.replace(/\{(\w+)\}/g, (_, name) => {
    const input = [...inputs].find(([parameter]) => parameter.in === "path" && parameter.name === name)?.[1];
    return encodeURIComponent(input?.value ?? "");
  }), location.origin);
  const headers = { "content-type": "application/json" };
  const token = sessionStorage.getItem(TOKEN);
  if (token) headers.authorization = `Bearer ${token}`;
  for (const [parameter, input] of inputs) {
    if (parameter.in === "query" && input.value) url.searchParams.append(parameter.name, input.value);
    if (parameter.in === "header" && input.value) headers[parameter.name] = input.value;
  }
  try {
    const reply = await fetch(url, { method: verb.toUpperCase(), headers, body });
    const content = await reply.text();
    let shown = content;
    try { shown = JSON.stringify(JSON.parse(content), null, 2); } catch { /* not JSON: as it came */ }
    return `${reply.status}  x-request-id: ${reply.headers.get("x-request-id")}\n\n${shown}`;
  } catch (failure) {
    return String(failure);
  }
}

function article(path, verb, operation) {
  const body = operation.requestBody?.content["application/json"].schema;
  const success = operation.responses["200"]?.content?.["application/json"]?.schema;
  const facts = [operation["x-permission"] === "public" ? "public" : `permission ${operation["x-permission"]}`,
    operation["x-idempotency"].toLowerCase(), `at most ${operation["x-deadline-seconds"]} s`];
  return node("article", { id: operation.operationId },
    node("h3", {}, node("span", { className: "verb", textContent: verb.toUpperCase() }), path),
    node("p", { className: "facts", textContent: facts.join(" · ") }),
    node("p", { className: "prose", textContent: operation.description ?? "" }),
    fields("Parameters", (operation.parameters ?? []).map((p) => [p.name, `${p.in}, ${typeOf(p.schema)}`, p.description])),
    body ? fieldsOf(`Request: ${typeOf(body)}`, body) : null,
    success ? fieldsOf(`Reply: ${typeOf(success)}`, success) : null,
    trial(verb, path, operation, body));
}

function show() {
  const main = document.getElementById("methods");
  const contents = document.getElementById("contents");
  main.replaceChildren(node("p", { className: "prose", textContent: api.info.description }));
  for (const tag of api.tags) {
    main.append(node("h2", { textContent: tag.name }), node("p", { textContent: tag.description ?? "" }));
    contents.append(node("h3", { textContent: tag.name }));
    for (const [path, item] of Object.entries(api.paths)) {
      for (const [verb, operation] of Object.entries(item)) {
        if (!operation.tags?.includes(tag.name)) continue;
        main.append(article(path, verb, operation));
        contents.append(node("a", { href: `#${operation.operationId}`, textContent: operation.operationId.split("_")[1] }));
      }
    }
  }
}

document.getElementById("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const output = event.target.querySelector("output");
  const body = JSON.stringify(Object.fromEntries(new FormData(event.target)));
  const headers = { "content-type": "application/json" };
  const reply = await fetch("/api/v1/auth/login", { method: "POST", headers, body });
  const answer = await reply.json();
  if (reply.ok) sessionStorage.setItem(TOKEN, answer.accessToken);
  output.textContent = reply.ok ? `${answer.user.displayName}, ${answer.user.roles}` : answer.message;
});

fetch("/openapi.json").then((reply) => reply.json()).then((found) => { api = found; show(); });
