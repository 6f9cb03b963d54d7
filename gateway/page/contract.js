// Reading /openapi.json: what a reference stands for, what a type is called, and a body to start from.

let schemas = {};

export async function load() {
  const reply = await fetch("/openapi.json");
  if (!reply.ok) throw new Error(`/openapi.json: ${reply.status}`);
  const api = await reply.json();
  schemas = api.components.schemas;
  return api;
}

export function resolve(schema) {
  if (schema?.allOf) return { ...resolve(schema.allOf[0]), ...schema };
  return schema?.$ref ? schemas[schema.$ref.split("/").pop()] : schema;
}

export function typeOf(schema) {
  if (schema?.$ref) return schema.$ref.split("/").pop();
  if (schema?.allOf) return typeOf(schema.allOf[0]);
  if (schema?.type === "array") return `${typeOf(schema.items)}[]`;
  if (schema?.enum) return schema.enum.join(" | ");
  return schema?.format ?? schema?.type ?? "object";
}

// Name, type and description of each field, with a star where it has to be given.
export function rowsOf(schema) {
  const found = resolve(schema);
  const item = found?.type === "array" ? resolve(found.items) : found;
  return Object.entries(item?.properties ?? {}).map(([name, property]) =>
    [item.required?.includes(name) ? `${name} *` : name, typeOf(property),
      property.description ?? resolve(property)?.description]);
}

// The one media type of a request or a reply: { type, schema, example }.
export function mediaOf(part) {
  const [found] = Object.entries(part?.content ?? {});
  return found ? { type: found[0], ...found[1] } : null;
}

// A body of the right shape: what has to be given, or all fields of a part that does not say.
export function example(schema, depth = 0) {
  const found = resolve(schema) ?? {};
  if (found.example !== undefined) return found.example;
  if (found.type === "array") return [example(found.items, depth + 1)];
  if (found.enum) return found.enum.find((each) => !each.endsWith("_UNSPECIFIED")) ?? found.enum[0];
  if (found.properties) {
    const wanted = found.required ?? (depth ? Object.keys(found.properties) : []);
    return Object.fromEntries(wanted.map((name) => [name, example(found.properties[name], depth + 1)]));
  }
  return { integer: 1, number: 1, boolean: false, object: {} }[found.type] ?? "";
}
