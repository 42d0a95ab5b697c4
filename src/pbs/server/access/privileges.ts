/**
 * What may be done where: privileges, roles, and the list that gives roles on paths.
 *
 * Paths are `/`, `/datastore`, `/datastore/STORE`, `/datastore/STORE/NS…` and `/system/tasks`. An
 * entry holds for its path and what is below; the entries of a longer path replace those of a
 * shorter one for the same user. A token has no more rights than its user.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { type Namespace, namespaceNames, parseNamespace } from "../../format/snapshot_path.ts";
import { type AuthId, userOf } from "./auth_id.ts";

/** What may be allowed. */
const PRIVILEGES = [
  "Datastore.Audit",
  "Datastore.Read",
  "Datastore.Backup",
  "Datastore.Modify",
  "Datastore.Prune",
  "Datastore.Verify",
  "Sys.Audit",
  "Sys.Modify",
] as const;

/** One thing that may be allowed. */
export type Privilege = typeof PRIVILEGES[number];

/** Roles by name; in the names of the reference. */
export const ROLES = {
  NoAccess: [],
  Audit: ["Datastore.Audit", "Sys.Audit"],
  Admin: PRIVILEGES,
  DatastoreAudit: ["Datastore.Audit"],
  DatastoreReader: ["Datastore.Audit", "Datastore.Read"],
  DatastoreBackup: ["Datastore.Backup"],
  DatastorePowerUser: ["Datastore.Prune", "Datastore.Backup"],
  DatastoreAdmin: [
    "Datastore.Audit",
    "Datastore.Read",
    "Datastore.Backup",
    "Datastore.Modify",
    "Datastore.Prune",
    "Datastore.Verify",
  ],
} as const satisfies Readonly<Record<string, readonly Privilege[]>>;

/** Name of a role. */
export type RoleName = keyof typeof ROLES;

/** Shorter names that people may use. */
const SHORT_NAMES: Readonly<Record<string, RoleName>> = {
  none: "NoAccess",
  audit: "DatastoreAudit",
  read: "DatastoreReader",
  reader: "DatastoreReader",
  backup: "DatastoreBackup",
  power: "DatastorePowerUser",
  prune: "DatastorePowerUser",
  admin: "DatastoreAdmin",
};

/** Gives a role to somebody. */
export interface RoleGrant {
  /** See the head of the module. */
  readonly path: string;
  readonly authId: AuthId;
  readonly role: RoleName;
  /** Whether it holds for what is below the path, too. */
  readonly isPropagated: boolean;
}

const STORE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{2,31}$/;

/** Whether a text can be the name of a datastore on a server. */
export function isStoreName(text: string): boolean {
  return STORE_NAME.test(text);
}

/** Whether a text is the name of a role. */
export function isRoleName(text: string): text is RoleName {
  return Object.hasOwn(ROLES, text);
}

/** Reads the name of a role, or a shorter one. @throws {UsageError} */
export function parseRole(text: string): RoleName {
  if (isRoleName(text)) return text;
  if (Object.hasOwn(SHORT_NAMES, text)) return SHORT_NAMES[text]!;
  throw new UsageError(`Cannot use "${text}" as a role`, {
    hint: `Roles are ${Object.keys(ROLES).join(", ")}, or in short ` +
      Object.keys(SHORT_NAMES).join(", "),
  });
}

/** Reads the path of an entry. @throws {UsageError} */
export function parseAclPath(text: string): string {
  const [root, area, store, ...names] = text.replace(/(?<=.)\/$/, "").split("/");
  const isPath = root === "" && (
    (area === "" && store === undefined) ||
    (area === "system" && store === "tasks" && names.length === 0) ||
    (area === "datastore" && (store === undefined || isStoreName(store)))
  );
  if (!isPath) {
    throw new UsageError(`Cannot use "${text}" as a path of permissions`, {
      hint: "A path is /, /datastore, /datastore/STORE, /datastore/STORE/NS or /system/tasks",
    });
  }
  if (area === "datastore") parseNamespace(names.join("/"));
  return text.replace(/(?<=.)\/$/, "");
}

/** The path of a datastore, or of a namespace in it. */
export function storeAclPath(store: string, ns: Namespace): string {
  return ["/datastore", store, ...namespaceNames(ns)].join("/");
}

/** The list, ready to be asked. */
export class Permissions {
  /** Entries of each auth id by path. */
  readonly #entries = new Map<string, Map<string, RoleGrant[]>>();

  constructor(entries: readonly RoleGrant[]) {
    for (const entry of entries) {
      const paths = this.#entries.get(entry.authId) ?? new Map<string, RoleGrant[]>();
      this.#entries.set(entry.authId, paths);
      paths.set(entry.path, [...paths.get(entry.path) ?? [], entry]);
    }
  }

  /** What somebody may do at a path. */
  at(authId: AuthId, path: string): ReadonlySet<Privilege> {
    const own = this.#ownAt(authId, path);
    const user = userOf(authId);
    return user === authId ? own : own.intersection(this.#ownAt(user, path));
  }

  /** What somebody may do at a path or anywhere below it. */
  below(authId: AuthId, path: string): ReadonlySet<Privilege> {
    const found = new Set(this.at(authId, path));
    for (const id of new Set([authId, userOf(authId)])) {
      for (const other of this.#entries.get(id)?.keys() ?? []) {
        if (!other.startsWith(`${path}/`)) continue;
        for (const privilege of this.at(authId, other)) found.add(privilege);
      }
    }
    return found;
  }

  #ownAt(authId: AuthId, path: string): Set<Privilege> {
    const paths = this.#entries.get(authId);
    let roles: readonly RoleName[] = [];
    for (const step of pathSteps(path)) {
      const entries = (paths?.get(step) ?? [])
        .filter((entry) => entry.isPropagated || step === path);
      if (entries.length > 0) roles = entries.map((entry) => entry.role);
    }
    // To be kept out outweighs what else is said of the same path.
    if (roles.includes("NoAccess")) return new Set();
    return new Set(roles.flatMap((role): readonly Privilege[] => ROLES[role]));
  }
}

/** `/a/b`: `/`, `/a` and `/a/b`. */
function pathSteps(path: string): string[] {
  const names = path.split("/").slice(1).filter((name) => name !== "");
  return ["/", ...names.map((_, index) => `/${names.slice(0, index + 1).join("/")}`)];
}
