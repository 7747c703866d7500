import { XMLParser } from "fast-xml-parser";
import { z } from "zod";
import { ServiceError } from "../service.ts";
import type { NamedPart } from "./store.ts";

/** What S3 writes and reads as XML. */

export interface XmlFields {
  readonly [name: string]: XmlValue;
}
type XmlValue = string | number | boolean | null | XmlFields | readonly XmlFields[];

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/";
const declaration = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** Fields with null are left out; a list repeats its element. */
export function encodeAnswer(root: string, fields: XmlFields): string {
  return `${declaration}<${root} xmlns="${namespace}">${encodeFields(fields)}</${root}>`;
}

/** Errors have no namespace. */
export function encodeError(fields: XmlFields): string {
  return `${declaration}<Error>${encodeFields(fields)}</Error>`;
}

function encodeFields(fields: XmlFields): string {
  return Object.entries(fields)
    .map(([name, value]) => encodeField(name, value))
    .join("");
}

function encodeField(name: string, value: XmlValue): string {
  if (value === null) return "";
  if (Array.isArray(value)) return value.map((item: XmlFields) => encodeField(name, item)).join("");
  const content = typeof value === "object" ? encodeFields(value as XmlFields) : escapeText(String(value));
  return `<${name}>${content}</${name}>`;
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

const parser = new XMLParser({
  // A number or a truth value is for the schema to see.
  parseTagValue: false,
  trimValues: false,
  isArray: (name) => name === "Object" || name === "Part",
});

/** S3's own limits for one request. */
const deletionsMax = 1_000;
const partsMax = 10_000;

const deletionSchema = z.object({
  Delete: z.object({
    Quiet: z.string().optional(),
    Object: z.array(z.object({ Key: z.string().min(1) })).max(deletionsMax),
  }),
});

const completionSchema = z.object({
  CompleteMultipartUpload: z.object({
    Part: z
      .array(z.object({ PartNumber: z.string().regex(/^\d+$/), ETag: z.string() }))
      .min(1)
      .max(partsMax),
  }),
});

/** @throws {ServiceError} when it is not a list of keys. */
export function decodeDeletion(text: string): { readonly keys: readonly string[]; readonly quiet: boolean } {
  const { Delete } = decode(text, deletionSchema);
  return { keys: Delete.Object.map(({ Key }) => Key), quiet: Delete.Quiet?.trim() === "true" };
}

/** @throws {ServiceError} when it is not a list of parts in the order of their numbers. */
export function decodeCompletion(text: string): readonly NamedPart[] {
  const parts = decode(text, completionSchema).CompleteMultipartUpload.Part.map((part) => ({
    number: Number(part.PartNumber),
    etag: part.ETag.replaceAll('"', "").trim(),
  }));
  const inOrder = parts.every(({ number }, index) => index === 0 || number > (parts[index - 1]?.number ?? 0));
  if (!inOrder) throw new ServiceError("InvalidPartOrder", "The list of parts was not in ascending order.");
  return parts;
}

function decode<T>(text: string, schema: z.ZodType<T>): T {
  const result = schema.safeParse(parser.parse(text));
  if (result.success) return result.data;
  throw new ServiceError(
    "MalformedXML",
    "The XML you provided was not well-formed or did not validate against our published schema.",
  );
}
