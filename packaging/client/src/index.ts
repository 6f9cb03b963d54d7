/**
 * A client of the ordermesh REST API, for browsers and for Node. Paths, parameters, bodies and errors are typed by the
 * API's own description; openapi-fetch carries the calls.
 */
import createFetchClient, { type Client as FetchClient, type ClientOptions } from "openapi-fetch";

import type { components, operations, paths } from "./schema.js";

export type { components, operations, paths };
export type Schemas = components["schemas"];
/** What every error is (RFC 9457). Look at its `reason`; `errors` names the fields at fault. */
export type Problem = Schemas["Problem"];
export type Client = FetchClient<paths>;

export interface Options extends ClientOptions {
  /** The edge, such as `https://shop.example.com`. */
  baseUrl: string;
  /**
   * Asked before each call, for the access token that holds now. Give none when it has expired, or the edge refuses the
   * login and the refresh too.
   */
  token?: () => string | undefined;
}

/** Makes a client. Its calls give `{ data }` or `{ error }`, and `{ response }`; they throw only when nobody answers. */
export function createClient({ token, ...options }: Options): Client {
  const client = createFetchClient<paths>(options);
  client.use({
    onRequest({ request }) {
      const current = token?.();
      if (current && !request.headers.has("Authorization")) request.headers.set("Authorization", `Bearer ${current}`);
      return request;
    },
  });
  return client;
}
