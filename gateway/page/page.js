// Shows /openapi.json: a list of all methods, and an article for each.

import { load, mediaOf, rowsOf, typeOf } from "./contract.js";
import { fields, node, prose } from "./nodes.js";
import { trial } from "./trial.js";

function article(path, verb, operation) {
  const body = mediaOf(operation.requestBody);
  const success = mediaOf(operation.responses["200"]);
  const reply = success?.["x-item-schema"] ?? success?.schema; // a stream says what each of its events holds
  return node("article", { id: operation.operationId },
    node("h3", {}, node("span", { className: "verb", textContent: verb.toUpperCase() }), path),
    node("p", { className: "facts", textContent: facts(operation).join(" · ") }),
    prose(operation.description),
    fields("Parameters", (operation.parameters ?? []).map((each) =>
      [each.required ? `${each.name} *` : each.name, `${each.in}, ${typeOf(each.schema)}`, each.description])),
    body ? fields(`Request: ${typeOf(body.schema)}`, rowsOf(body.schema)) : null,
    reply ? fields(`Reply: ${typeOf(reply)}`, rowsOf(reply)) : null,
    trial(verb, path, operation, body));
}

function facts(operation) {
  const permission = operation["x-permission"];
  return [permission === "public" ? permission : `permission ${permission}`,
    operation["x-idempotency"].toLowerCase(), `at most ${operation["x-deadline-seconds"]} s`];
}

// The `type` of an error leads here.
function showReasons(main, contents, reasons) {
  const rows = reasons.map(({ reason, status, from, when }) => node("tr", { id: reason },
    ...[reason, status, from, when].map((text) => node("td", { textContent: text }))));
  main.append(node("h2", { id: "errors", textContent: "Errors" }),
    prose("What `reason` says in an error, its HTTP status, and who says so when."), node("table", {}, ...rows));
  contents.append(node("h3", {}, node("a", { href: "#errors", textContent: "Errors" })));
}

function show(api) {
  const main = document.getElementById("methods");
  const contents = document.getElementById("contents");
  main.replaceChildren(prose(api.info.description));
  const operations = Object.entries(api.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([verb, operation]) => [path, verb, operation]));
  for (const tag of api.tags) {
    // Consul's UI leads here by the name that the mesh has for the service.
    const id = tag.name.replace(/Service$/, "").toLowerCase();
    main.append(node("h2", { id, textContent: tag.name }), prose(tag.description));
    contents.append(node("h3", { textContent: tag.name }));
    for (const [path, verb, operation] of operations.filter(([, , each]) => each.tags.includes(tag.name))) {
      main.append(article(path, verb, operation));
      const name = operation.operationId.split("_")[1];
      contents.append(node("a", { href: `#${operation.operationId}`, textContent: name }));
    }
  }
  showReasons(main, contents, api.components.schemas.Problem["x-reasons"]);
  // What the address names was not there yet when the browser looked.
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

load().then(show).catch((failure) => {
  document.getElementById("methods").replaceChildren(node("p", { textContent: `Not to be had: ${failure.message}` }));
});
