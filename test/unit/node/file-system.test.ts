import { expect, test } from "vitest";
import { NodeFailure } from "../../../layers/node/failure.ts";
import { ext4Bytes, fills, xfsBytes } from "../../../layers/node/file-system.ts";

const xfsInfo = `meta-data=/dev/loop3             isize=512    agcount=8, agsize=65536 blks
         =                       sectsz=512   attr=2, projid32bit=1
data     =                       bsize=4096   blocks=524288, imaxpct=25
         =                       sunit=0      swidth=0 blks
naming   =version 2              bsize=4096   ascii-ci=0, ftype=1, parent=0
log      =internal log           bsize=4096   blocks=16384, version=2
realtime =none                   extsz=4096   blocks=0, rtextents=0
`;
const dumpe2fs = `Filesystem state:         clean
Inode count:              16384
Block count:              262144
Reserved block count:     2621
First block:              0
Block size:               4096
Fragment size:            4096
`;

test("a file system's size is all that it covers, its own structures included", () => {
  expect(xfsBytes(xfsInfo)).toBe(2 * 1024 ** 3);
  expect(ext4Bytes(dumpe2fs)).toBe(1024 ** 3);
});

test.each(["", "data = blocks=1", "Block count: 12"])(
  "a program that says something else is not guessed at",
  (text) => {
    expect(() => xfsBytes(text)).toThrow(NodeFailure);
    expect(() => ext4Bytes(text)).toThrow(NodeFailure);
  },
);

test("a file system fills its volume unless a GiB or more is left to grow over, however large the volume is", () => {
  const gib = 1024 ** 3;
  for (const sizeGiB of [1, 20, 16_384]) {
    expect(fills(sizeGiB * gib - 256 * 1024, sizeGiB * gib)).toBe(true);
    expect(fills(sizeGiB * gib, (sizeGiB + 1) * gib)).toBe(false);
  }
});
