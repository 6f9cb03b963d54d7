// Who is logged in. The token stays in this tab, and goes when it's no longer good.

const KEY = "ordermesh.session";
const form = document.getElementById("login");
const output = document.querySelector("#session output");
const leave = document.querySelector("#session button");

export function token() {
  return JSON.parse(sessionStorage.getItem(KEY) ?? "null")?.token;
}

export function forget(reason = "") {
  sessionStorage.removeItem(KEY);
  show(reason);
}

function show(message = "") {
  const session = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  form.hidden = Boolean(session);
  leave.hidden = !session;
  output.textContent = session ? session.name : message;
}

async function login(event) {
  event.preventDefault();
  const body = JSON.stringify(Object.fromEntries(new FormData(form)));
  const headers = { "content-type": "application/json" };
  try {
    const reply = await fetch("/api/v1/auth/login", { method: "POST", headers, body });
    const answer = await reply.json();
    if (!reply.ok) return show(answer.message);
    const name = `${answer.user.displayName} (${answer.user.roles.join(", ")})`;
    sessionStorage.setItem(KEY, JSON.stringify({ token: answer.accessToken, name }));
    form.reset();
    return show();
  } catch (failure) {
    return show(String(failure));
  }
}

form.addEventListener("submit", login);
leave.addEventListener("click", () => forget());
show();
