/**
 * Users, tokens and permissions of a server: `access.json` in its folder, mode 0600.
 *
 *     {"version":1,
 *      "users":{"backup@pbs":{"password":"$scrypt$…"}},
 *      "tokens":{"backup@pbs!nightly":{"secret":"$sha256$…"}},
 *      "acl":[{"path":"/datastore/main","auth-id":"backup@pbs","role":"DatastoreBackup",
 *              "propagate":true}]}
 *
 * It is replaced as a whole, by whoever has the lock of the folder. Needs FFI.
 *
 * @module
 */

import * as v from "valibot";
import { Errno, FormatError, OsError, StateError } from "#src/errors.ts";
import {
  readWholeFile,
  replaceFile,
  temporaryPathFor,
  withDirectory,
} from "#src/io/files/whole_file.ts";
import * as host from "#ffi/libc/calls.ts";
import { type AuthId, isTokenId, isUserId, parseAuthId, userOf } from "./auth_id.ts";
import { isRoleName, parseAclPath, type RoleGrant } from "./privileges.ts";
import { isSecretHash } from "./secret_hash.ts";

/** What the file says. */
export interface AccessData {
  /** What is kept of passwords, by user. */
  readonly users: ReadonlyMap<AuthId, string>;
  /** What is kept of secrets, by token. */
  readonly tokens: ReadonlyMap<AuthId, string>;
  readonly acl: readonly RoleGrant[];
}

/** Name in the folder of a server. */
export const ACCESS_FILE_NAME = "access.json";
/** Mode of what has secrets in it. */
export const SECRET_FILE_MODE = 0o600;

const FILE_SIZE_MAX = 16 << 20;
const EMPTY: AccessData = { users: new Map(), tokens: new Map(), acl: [] };

const HASH = v.pipe(v.string(), v.check(isSecretHash, "no hash of a secret"));

const SCHEMA = v.strictObject({
  version: v.literal(1),
  users: v.record(v.pipe(v.string(), v.check(isUserId)), v.strictObject({ password: HASH })),
  tokens: v.record(v.pipe(v.string(), v.check(isTokenId)), v.strictObject({ secret: HASH })),
  acl: v.array(v.strictObject({
    "path": v.string(),
    "auth-id": v.string(),
    "role": v.pipe(v.string(), v.custom<RoleGrant["role"]>((role) => isRoleName(role as string))),
    "propagate": v.boolean(),
  })),
});

/**
 * Reads the file; nobody may do anything where there is none.
 *
 * @throws {FormatError | LimitError | OsError}
 */
export function readAccess(folder: string): AccessData {
  const path = `${folder}/${ACCESS_FILE_NAME}`;
  let bytes: Uint8Array;
  try {
    bytes = readWholeFile(path, FILE_SIZE_MAX);
  } catch (error) {
    if (error instanceof OsError && error.errno === Errno.ENOENT) return EMPTY;
    throw error;
  }
  try {
    return parseAccess(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new FormatError(`Cannot read users and permissions: ${(cause as Error).message}`, {
      path,
      cause,
    });
  }
}

/**
 * Changes the file; others who do the same wait meanwhile. The folder is made where it is missing.
 *
 * @throws what `change` throws, or {@link readAccess}
 */
export function changeAccess(folder: string, change: (data: AccessData) => AccessData): void {
  withServerFolder(folder, () => {
    const changed = formatAccess(change(readAccess(folder)));
    const path = `${folder}/${ACCESS_FILE_NAME}`;
    replaceFile(path, temporaryPathFor(path), new TextEncoder().encode(changed), {
      mode: SECRET_FILE_MODE,
      isModeExact: true,
      isDurable: true,
    });
  });
}

/** Does something in the folder of a server while nobody else changes it. @throws {OsError} */
export function withServerFolder<Result>(folder: string, use: () => Result): Result {
  makeServerFolder(folder);
  return withDirectory(folder, (fd) => {
    host.unwrap(host.flock(fd, host.Lock.EXCLUSIVE), "lock", folder);
    return use();
  });
}

/** Makes the folder of a server, for its user only. */
function makeServerFolder(folder: string): void {
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
}

/** Adds a user. @throws {StateError} `exists` */
export function withUser(data: AccessData, user: AuthId, passwordHash: string): AccessData {
  if (data.users.has(user)) throw new StateError("exists", `Cannot add ${user}: it exists`);
  return { ...data, users: new Map(data.users).set(user, passwordHash) };
}

/** Changes what is kept of a password. @throws {StateError} `not-found` */
export function withPassword(data: AccessData, user: AuthId, passwordHash: string): AccessData {
  requireEntry(data.users, user);
  return { ...data, users: new Map(data.users).set(user, passwordHash) };
}

/** Takes out a user, his tokens and what they may do. @throws {StateError} `not-found` */
export function withoutUser(data: AccessData, user: AuthId): AccessData {
  requireEntry(data.users, user);
  const isLeft = (id: AuthId) => userOf(id) !== user;
  return {
    users: new Map([...data.users].filter(([id]) => isLeft(id))),
    tokens: new Map([...data.tokens].filter(([id]) => isLeft(id))),
    acl: data.acl.filter(({ authId }) => isLeft(authId)),
  };
}

/** Adds a token. @throws {StateError} `exists`, or `not-found` when there is no such user */
export function withToken(data: AccessData, token: AuthId, secretHash: string): AccessData {
  requireEntry(data.users, userOf(token));
  if (data.tokens.has(token)) throw new StateError("exists", `Cannot add ${token}: it exists`);
  return { ...data, tokens: new Map(data.tokens).set(token, secretHash) };
}

/** Takes out a token and what it may do. @throws {StateError} `not-found` */
export function withoutToken(data: AccessData, token: AuthId): AccessData {
  requireEntry(data.tokens, token);
  return {
    ...data,
    tokens: new Map([...data.tokens].filter(([id]) => id !== token)),
    acl: data.acl.filter(({ authId }) => authId !== token),
  };
}

/** Gives a role. @throws {StateError} `not-found` when there is no such user or token */
export function withAclEntry(data: AccessData, entry: RoleGrant): AccessData {
  const { authId } = entry;
  requireEntry(authId.includes("!") ? data.tokens : data.users, authId);
  return { ...data, acl: [...data.acl.filter((other) => !isSame(other, entry)), entry] };
}

/** Takes a role back. @throws {StateError} `not-found` */
export function withoutAclEntry(
  data: AccessData,
  entry: Pick<RoleGrant, "path" | "authId" | "role">,
): AccessData {
  const acl = data.acl.filter((other) => !isSame(other, entry));
  if (acl.length < data.acl.length) return { ...data, acl };
  throw new StateError(
    "not-found",
    `Cannot find ${entry.role} of ${entry.authId} on ${entry.path}`,
  );
}

function isSame(a: Pick<RoleGrant, "path" | "authId" | "role">, b: typeof a): boolean {
  return a.path === b.path && a.authId === b.authId && a.role === b.role;
}

function requireEntry(entries: ReadonlyMap<AuthId, string>, id: AuthId): void {
  if (entries.has(id)) return;
  const kind = id.includes("!") ? "token" : "user";
  throw new StateError("not-found", `Cannot find ${kind} ${id}`);
}

function parseAccess(text: string): AccessData {
  const result = v.safeParse(SCHEMA, JSON.parse(text));
  if (!result.success) {
    const [issue] = result.issues;
    throw new FormatError(`${v.getDotPath(issue) ?? "value"}: ${issue.message}`);
  }
  const { users, tokens, acl } = result.output;
  return {
    users: new Map(Object.entries(users).map(([id, { password }]) => [id as AuthId, password])),
    tokens: new Map(Object.entries(tokens).map(([id, { secret }]) => [id as AuthId, secret])),
    acl: acl.map((entry) => ({
      path: parseAclPath(entry.path),
      authId: parseAuthId(entry["auth-id"]),
      role: entry.role,
      isPropagated: entry.propagate,
    })),
  };
}

function formatAccess({ users, tokens, acl }: AccessData): string {
  const file: v.InferInput<typeof SCHEMA> = {
    version: 1,
    users: Object.fromEntries([...users].map(([id, password]) => [id, { password }])),
    tokens: Object.fromEntries([...tokens].map(([id, secret]) => [id, { secret }])),
    acl: acl.map(({ path, authId, role, isPropagated }) => ({
      path,
      "auth-id": authId,
      role,
      propagate: isPropagated,
    })),
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}
