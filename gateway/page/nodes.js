// Making elements, and prose out of the contracts' comments. Text is always set as text, never as HTML.

export function node(tag, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children.filter((child) => child !== null));
  return made;
}

// The few signs that comments use: `code`, **strong**, paragraphs and lists.
export function prose(text = "") {
  return node("div", { className: "prose" }, ...text.split(/\n\n+/).filter(Boolean).map(block));
}

function block(text) {
  const items = text.split(/(?:^|\n)- /);
  if (items.length === 1) return node("p", {}, ...inline(text));
  return node("div", {}, ...(items[0] ? [node("p", {}, ...inline(items[0]))] : []),
    node("ul", {}, ...items.slice(1).map((item) => node("li", {}, ...inline(item)))));
}

function inline(text) {
  return text.replaceAll("\n", " ").split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (part.startsWith("`")) return node("code", { textContent: part.slice(1, -1) });
    return part.startsWith("**") ? node("strong", { textContent: part.slice(2, -2) }) : part;
  });
}

// A table that opens on a click; nothing when it has no rows.
export function fields(title, rows) {
  if (!rows.length) return null;
  const body = rows.map(([name, type, description]) =>
    node("tr", {}, node("td", {}, node("code", { textContent: name })), node("td", { textContent: type }),
      node("td", {}, prose(description))));
  return node("details", {}, node("summary", { textContent: title }), node("table", {}, ...body));
}
