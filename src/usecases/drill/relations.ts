/**
 * Tables and indexes of a database, and the files that they are in.
 *
 * @module
 */

import type { PostgresConnection } from "#src/postgres/connection.ts";

/** One. */
export interface Relation {
  readonly oid: string;
  readonly kind: "table" | "index" | "other";
  /** `heap`, `btree`, …; null for what has none. */
  readonly accessMethod: string | null;
  /** With its schema, as SQL has it. */
  readonly name: string;
  /** Path of its first segment in the data directory. */
  readonly file: string;
}

/** `r` tables, `m` materialized views, `t` TOAST tables, `i` indexes; `S` sequences are neither. */
const KINDS = "case when relkind in ('r', 'm', 't') then 'table' when relkind = 'i' then 'index' " +
  "else 'other' end";

/** Those of the database of a connection that have files of their own and are valid. */
export async function listRelations(connection: PostgresConnection): Promise<Relation[]> {
  const { rows } = await connection.query(
    `select c.oid, ${KINDS}, amname, quote_ident(nspname) || '.' || quote_ident(relname),
            pg_relation_filepath(c.oid)
       from pg_class c
       join pg_namespace n on n.oid = relnamespace
       left join pg_am on pg_am.oid = relam
       left join pg_index on indexrelid = c.oid
      where relkind in ('r', 'm', 't', 'i', 'S') and relpersistence <> 't'
        and (indexrelid is null or indisvalid and indisready)
        and pg_relation_filepath(c.oid) is not null
      order by relpages desc`,
  );
  return rows.map(([oid, kind, accessMethod, name, file]) => ({
    oid: oid!,
    kind: kind as Relation["kind"],
    accessMethod: accessMethod ?? null,
    name: name!,
    file: file!,
  }));
}
