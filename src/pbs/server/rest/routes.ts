/**
 * Calls of the REST interface: a table of method, path, parameters, and what somebody must be
 * allowed to do.
 *
 * @module
 */

import { Failure } from "#src/errors.ts";
import type { HttpAnswer, HttpRequest } from "#src/net/http.ts";
import type { AuthId } from "../access/auth_id.ts";
import { answerData, answerFailure, plainText, Refusal } from "../refusal.ts";
import { allParameters, checkParameters, type ParameterRules, pathOf } from "../parameters.ts";
import type { Parameters as CheckedParameters } from "../parameters.ts";
import { queryParameters } from "../parameters.ts";
import type { ServerState } from "./server_state.ts";

/** What a call gets. */
export interface CallContext<Rules extends ParameterRules> {
  readonly state: ServerState;
  readonly request: HttpRequest;
  /** Who asks; empty where nobody has to say so. */
  readonly authId: AuthId;
  readonly parameters: CheckedParameters<Rules>;
}

/** One call. */
export interface Route {
  readonly method: string;
  /** `/admin/datastore/{store}/groups`: parts in braces are parameters. */
  readonly path: string;
  /** Whether it is answered to everybody. */
  readonly isOpen: boolean;
  /** Whether the body is data, and parameters are in the query alone. */
  readonly hasRawBody: boolean;
  readonly answer: (
    state: ServerState,
    request: HttpRequest,
    authId: AuthId,
    given: Readonly<Record<string, unknown>>,
  ) => Promise<HttpAnswer>;
}

/** An answer as it is; anything else becomes `{"data":…}`. */
export class WholeAnswer {
  constructor(readonly answer: HttpAnswer) {}
}

/** A line of the table. */
export function route<const Rules extends ParameterRules>(
  method: string,
  path: string,
  rules: Rules,
  call: (context: CallContext<Rules>) => unknown,
  options: { readonly isOpen?: boolean; readonly hasRawBody?: boolean } = {},
): Route {
  const { isOpen = false, hasRawBody = false } = options;
  return {
    method,
    path,
    isOpen,
    hasRawBody,
    async answer(state, request, authId, given) {
      const parameters = checkParameters(rules, given);
      const result = await call({ state, request, authId, parameters });
      return result instanceof WholeAnswer ? result.answer : answerData(result);
    },
  };
}

const API_ROOT = "/api2/json";

/** Finds calls by method and path. */
export class Router {
  readonly #routes: readonly { readonly route: Route; readonly parts: readonly string[] }[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => ({ route, parts: route.path.split("/").slice(1) }));
  }

  /** Answers a request, a refused one too; only bugs are thrown. */
  async answer(state: ServerState, request: HttpRequest): Promise<RoutedAnswer> {
    let authId: AuthId | undefined;
    let path = "";
    try {
      path = pathOf(request.target);
      const found = this.#find(request.method, path);
      // Whoever is unknown is told nothing of what there is.
      if (found?.route.isOpen !== true) authId = await state.authenticator.identify(request);
      if (found === undefined) throw new Refusal(404, `Path '${path}' not found.`);
      const { route, given } = found;
      const others = route.hasRawBody
        ? queryParameters(request.target)
        : await allParameters(request);
      for (const name of Object.keys(given)) {
        if (!Object.hasOwn(others, name)) continue;
        throw new Refusal(400, `parameter verification failed - '${name}': duplicate parameter.`);
      }
      const all = { ...others, ...given };
      const answer = await route.answer(state, request, authId ?? "" as AuthId, all);
      return { answer, authId, route: route.path };
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return { answer: answerApiFailure(error), authId, route: undefined };
    } finally {
      request.body.discard();
    }
  }

  #find(method: string, path: string) {
    if (!path.startsWith(`${API_ROOT}/`)) return undefined;
    const parts = path.slice(API_ROOT.length + 1).split("/");
    for (const { route, parts: wanted } of this.#routes) {
      if (route.method !== method || wanted.length !== parts.length) continue;
      const given = match(wanted, parts);
      if (given !== undefined) return { route, given };
    }
    return undefined;
  }
}

/** An answer, and what the log is told of it. */
export interface RoutedAnswer {
  readonly answer: HttpAnswer;
  readonly authId: AuthId | undefined;
  readonly route: string | undefined;
}

function match(
  wanted: readonly string[],
  parts: readonly string[],
): Record<string, string> | undefined {
  const given: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    if (!part.startsWith("{")) {
      if (part !== parts[index]) return undefined;
      continue;
    }
    try {
      given[part.slice(1, -1)] = decodeURIComponent(parts[index]!);
    } catch {
      return undefined;
    }
  }
  return given;
}

/** Failures of datastores in the reference's words, where it has its own. */
function answerApiFailure(error: Failure): HttpAnswer {
  if (error instanceof Refusal || "status" in error) return answerFailure(error);
  if (error.code === "protected") return plainText(400, "cannot remove protected snapshot");
  if (error.code !== "not-found") return answerFailure(error);
  const isNamespace = error.message.startsWith("Cannot find namespace");
  return plainText(404, isNamespace ? "namespace not found" : error.message);
}
