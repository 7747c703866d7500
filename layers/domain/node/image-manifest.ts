/** A standard parameter holds no more, and costs nothing. */
export const imageManifestCharactersMax = 4_096;

interface ImageFacts {
  /** `ami-…` */
  readonly image: string;
  /** Everything on the image: package → version. */
  readonly installed: Readonly<Record<string, string>>;
  /** Files that name the packages which nodes are made of: one a line with a pattern of its version, `#` for comments. */
  readonly recipes: readonly string[];
}

/** Comes with the base of the image, and commands depend on its version. */
const agent = "amazon-ssm-agent";

/**
 * What is in an image, as people and scripts find it without starting a machine: the packages that its recipes name.
 * The list of all packages is on the image itself.
 * @throws for a package that a recipe names and the image does not have
 */
export function imageManifest({ image, installed, recipes }: ImageFacts): string {
  const packages = [...recipes.flatMap(packagesOf), agent].toSorted().map((name) => {
    const version = installed[name];
    if (version === undefined) throw new Error(`the image does not have ${name}, which its recipe names`);
    return [name, version] as const;
  });
  const manifest = JSON.stringify({ image, packages: Object.fromEntries(packages) });
  if (manifest.length > imageManifestCharactersMax) {
    throw new Error(
      `the manifest has ${manifest.length} characters, and a parameter ${imageManifestCharactersMax}`,
    );
  }
  return manifest;
}

function packagesOf(recipe: string): string[] {
  return recipe
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim().split(/\s+/)[0] ?? "")
    .filter((name) => name !== "");
}
