import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  timingSafeEqual,
} from "node:crypto";
import { type Segment, sealBytes } from "../../domain/backup/manifest.ts";
import { NodeFailure } from "../failure.ts";

/** Where a segment is: no two segments of one try at a backup are at the same place, so it serves as their nonce. */
export type Place = Pick<Segment, "object" | "offset">;

const algorithm = "aes-256-gcm";
const keyBytes = 32;

function nonceOf({ object, offset }: Place): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(object, 0);
  nonce.writeBigUInt64BE(BigInt(offset), 4);
  return nonce;
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/**
 * Encrypts what leaves the node, and tells whether what comes back is what left. The keys follow from the pass of the
 * cluster's repository and a salt that each try at a backup has of its own.
 */
export class Seal {
  readonly #key: Buffer;
  readonly #macKey: Buffer;

  constructor(pass: string, salt: Buffer) {
    const derive = (purpose: string) => Buffer.from(hkdfSync("sha256", pass, salt, purpose, keyBytes));
    this.#key = derive("pgherd logical backup: segments");
    this.#macKey = derive("pgherd logical backup: manifest");
  }

  close(plain: Uint8Array, place: Place): Buffer {
    const cipher = createCipheriv(algorithm, this.#key, nonceOf(place));
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  /** @throws {NodeFailure} `backup-damaged` before a byte of it is used */
  open(stored: Buffer, segment: Segment): Buffer {
    const damaged = (what: string, cause?: unknown) =>
      new NodeFailure(`object ${segment.object} of the backup ${what} at ${segment.offset}`, {
        code: "backup-damaged",
        cause,
      });
    if (stored.length !== segment.bytes || sha256(stored) !== segment.sha256) {
      throw damaged("is not what its checksum says");
    }
    const decipher = createDecipheriv(algorithm, this.#key, nonceOf(segment));
    decipher.setAuthTag(stored.subarray(-sealBytes));
    try {
      return Buffer.concat([decipher.update(stored.subarray(0, -sealBytes)), decipher.final()]);
    } catch (error) {
      throw damaged("was not written with this cluster's pass", error);
    }
  }

  mac(text: string): string {
    return createHmac("sha256", this.#macKey).update(text).digest("hex");
  }

  isMacOf(text: string, mac: string): boolean {
    const [own, other] = [this.mac(text), mac].map((one) => Buffer.from(one, "hex"));
    return own !== undefined && other?.length === own.length && timingSafeEqual(own, other);
  }
}
