/**
 * Logs in, looks for a product, places an order once though it is sent twice, reads it back, and is refused another.
 * EDGE is the edge's address, EMAIL and PASSWORD a customer's, QUERY what to look for.
 */
import { createClient, type Problem } from "ordermesh-client";

const { EDGE = "http://127.0.0.1:8080", EMAIL = "", PASSWORD = "", QUERY = "lamp" } = process.env;
let accessToken: string | undefined;
const api = createClient({ baseUrl: EDGE, token: () => accessToken });

function stop(problem: Problem): never {
  throw new Error(`${problem.status} ${problem.reason}: ${problem.detail}`);
}

const login = await api.POST("/api/v1/auth/login", { body: { email: EMAIL, password: PASSWORD } });
if (login.error) stop(login.error);
accessToken = login.data.accessToken;

const found = await api.GET("/api/v1/products", { params: { query: { query: QUERY } } });
if (found.error) stop(found.error);
const sku = found.data.products[0]?.variants[0]?.sku;
if (!sku) throw new Error(`there is no ${QUERY}`);

// Sent again with the same key, it is the same order: nothing is bought twice when an answer got lost.
const key = crypto.randomUUID();
const place = (quantity: number) =>
  api.POST("/api/v1/orders", {
    params: { header: { "Idempotency-Key": key } },
    body: {
      lines: [{ sku, quantity }],
      shippingAddress: { regionCode: "DE", locality: "Berlin", addressLines: ["Invalidenstr. 1"] },
      paymentToken: "tok_visa",
    },
  });
const [placed, again] = [await place(1), await place(1)];
if (placed.error) stop(placed.error);
if (again.error) stop(again.error);

const order = await api.GET("/api/v1/orders/{id}", { params: { path: { id: placed.data.id } } });
if (order.error) stop(order.error);
console.log(`${again.data.id} is ${order.data.id}`);
console.log(`${order.data.state}: ${order.data.lines.map((line) => `${line.quantity} x ${line.sku}`).join(", ")}`);

const refused = await place(0);
console.log(`${refused.error?.reason}: ${refused.error?.errors?.map((each) => each.field).join(", ")}`);
