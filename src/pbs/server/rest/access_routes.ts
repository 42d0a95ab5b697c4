/**
 * Calls about who may log in.
 *
 * @module
 */

import { type AuthId, userOf } from "../access/auth_id.ts";
import { type Route, route } from "./routes.ts";
import { SWITCH } from "./rules.ts";

/** See the head of the module. */
export const ACCESS_ROUTES: readonly Route[] = [
  /** Users with the fields that are kept of them; who may not see all sees himself. */
  route("GET", "/access/users", { include_tokens: SWITCH }, ({ state, authId, parameters }) => {
    const { data: { users, tokens }, permissions } = state.access;
    const mayAudit = permissions.at(authId, "/access/users").has("Sys.Audit");
    const isShown = (user: AuthId) => mayAudit || user === userOf(authId);
    const tokensOf = (user: AuthId) =>
      [...tokens.keys()].filter((token) => userOf(token) === user)
        .map((tokenid) => ({ tokenid, enable: true }));
    return [...users.keys()].filter(isShown).sort().map((userid) => ({
      userid,
      enable: true,
      ...parameters.include_tokens === true ? { tokens: tokensOf(userid) } : {},
    }));
  }),
];
