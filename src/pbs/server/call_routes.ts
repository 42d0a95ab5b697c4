/**
 * The calls of a session by path and method.
 *
 * @module
 */

import { Failure } from "#src/errors.ts";
import type { HttpAnswer, HttpHandler, HttpRequest } from "#src/net/http.ts";
import { answerData, answerFailure, Refusal } from "./refusal.ts";
import { pathOf } from "./parameters.ts";

/** Calls by `METHOD /path`. */
export type CallRoutes = Readonly<Record<string, (request: HttpRequest) => Promise<HttpAnswer>>>;

/** Answers the calls of a table; what is not in it is not found. */
export function serveRoutes(routes: CallRoutes): HttpHandler {
  const paths = new Set(Object.keys(routes).map((route) => route.slice(route.indexOf("/") + 1)));
  const subdirectories = [...paths].sort().map((subdir) => ({ subdir }));
  return async (request) => {
    const path = pathOf(request.target);
    const route = `${request.method} ${path}`;
    try {
      if (route === "GET /") return answerData(subdirectories);
      if (!Object.hasOwn(routes, route)) throw new Refusal(404, `Path '${path}' not found.`);
      return await routes[route]!(request);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return answerFailure(error);
    } finally {
      // Where it was read, there is nothing left.
      request.body.discard();
    }
  };
}
