import { expect, test } from "vitest";
import { withPlainKeys } from "../../../infra/build/lean-schemas.ts";

test("a computed key is written as the constant that it stands for, and nothing else is changed", () => {
  const source = [
    'const _xN = "xmlName";',
    'const _eN = "ec2QueryName";',
    "const other = _xN;",
    "export var Request$ = [3, n0, [[() => List, { [_xN]: _eN, [_eN]: 1 }]], list[_xN], { [other]: 2, [_mine]: 3 }];",
  ];
  const [xmlName, queryName, third, request = ""] = source;
  expect(withPlainKeys(source.join("\n"))).toBe(
    [
      xmlName,
      queryName,
      third,
      request.replace("[_xN]: _eN, [_eN]: 1", '"xmlName": _eN, "ec2QueryName": 1'),
    ].join("\n"),
  );
});
