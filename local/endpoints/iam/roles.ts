import type { Collection, Documents } from "../../state/documents.ts";
import { objectList, optionalNumber, optionalObject, optionalText, requiredText } from "../input.ts";
import { ServiceError } from "../service.ts";
import { Boundaries, nothing } from "./boundaries.ts";
import { checkLength, type Policy, readPolicy } from "./policy.ts";

type Input = Readonly<Record<string, unknown>>;
type Output = Record<string, unknown>;

interface Tag {
  readonly Key: string;
  readonly Value: string;
}

interface StoredRole {
  readonly name: string;
  readonly path: string;
  readonly arn: string;
  readonly trust: string;
  readonly boundaryArn: string | null;
  readonly createdAt: string;
  readonly tags: readonly Tag[];
  /** Name → document. */
  readonly policies: Readonly<Record<string, string>>;
}

interface StoredProfile {
  readonly name: string;
  readonly path: string;
  readonly arn: string;
  readonly createdAt: string;
  readonly role: string | null;
}

/** IAM's own. */
const nameForm = /^[\w+=,.@-]{1,64}$/;
const pathForm = /^\/([\x21-\x7e]+\/)?$/;
const itemsMax = 1_000;
/** More than one machine has clusters; they are read again where that is wrong. */
const documentsKeptMax = 200;
const itemsDefault = 100;

const storedRoles = (documents: Documents): Collection<StoredRole> => documents.collection("iam-roles");
const storedProfiles = (documents: Documents): Collection<StoredProfile> =>
  documents.collection("iam-instance-profiles");

/** What a role may do: what one of its own policies allows, and its boundary as well. */
export interface RoleRights {
  readonly own: readonly Policy[];
  /** Null where the role has none. */
  readonly boundary: Policy | null;
}

/** What others ask of the roles that were made at run time; those of templates are not among them. */
export class RoleFacts {
  /** Every call of a node asks for the same documents again. */
  readonly #read = new Map<string, Policy>();
  readonly #roles: Collection<StoredRole>;
  readonly #profiles: Collection<StoredProfile>;
  readonly #boundaries: Boundaries;

  constructor(documents: Documents) {
    this.#roles = storedRoles(documents);
    this.#profiles = storedProfiles(documents);
    this.#boundaries = new Boundaries(documents);
  }

  /** Null where there is no such profile. */
  profileArn(name: string): string | null {
    return this.#profiles.get(name)?.arn ?? null;
  }

  /** The role that an instance profile gives. @param profile its name or its ARN */
  roleOf(profile: string): { readonly name: string; readonly arn: string } | null {
    const name = this.#profiles.get(profile.slice(profile.lastIndexOf("/") + 1))?.role;
    return name == null ? null : (this.#roles.get(name) ?? null);
  }

  roleArn(name: string): string | null {
    return this.#roles.get(name)?.arn ?? null;
  }

  boundaryOf(role: string): string | null {
    return this.#roles.get(role)?.boundaryArn ?? null;
  }

  /** Null: the role is none that was made at run time. */
  rightsOf(role: string): RoleRights | null {
    const found = this.#roles.get(role);
    if (found === undefined) return null;
    const own = Object.values(found.policies).map((text) => this.#policy(text));
    return { own, boundary: found.boundaryArn === null ? null : this.#boundary(found.boundaryArn) };
  }

  #boundary(arn: string): Policy {
    const document = this.#boundaries.documentOf(arn);
    return document === null ? nothing : this.#policy(document);
  }

  #policy(document: string): Policy {
    const known = this.#read.get(document);
    if (known !== undefined) return known;
    const policy = readPolicy(document);
    if (this.#read.size >= documentsKeptMax) this.#read.clear();
    this.#read.set(document, policy);
    return policy;
  }
}

/** Roles, their inline policies, and the instance profiles that give them to instances. */
export class Roles {
  readonly #roles: Collection<StoredRole>;
  readonly #profiles: Collection<StoredProfile>;
  readonly #boundaries: Boundaries;
  readonly #account: string;

  constructor(options: { documents: Documents; account: string }) {
    this.#boundaries = new Boundaries(options.documents);
    this.#roles = storedRoles(options.documents);
    this.#profiles = storedProfiles(options.documents);
    this.#account = options.account;
  }

  readonly actions: Readonly<Record<string, (input: Input) => Output>> = {
    CreateRole: (input) => this.#createRole(input),
    PutRolePolicy: (input) => this.#putPolicy(input),
    DeleteRolePolicy: (input) => this.#deletePolicy(input),
    DeleteRole: (input) => this.#deleteRole(input),
    ListRoles: (input) => this.#listRoles(input),
    CreateInstanceProfile: (input) => this.#createProfile(input),
    AddRoleToInstanceProfile: (input) => this.#addRole(input),
    RemoveRoleFromInstanceProfile: (input) => this.#removeRole(input),
    DeleteInstanceProfile: (input) => this.#deleteProfile(input),
  };

  #createRole(input: Input): Output {
    const name = nameIn(input, "RoleName");
    if (this.#roles.get(name) !== undefined) throw exists(`Role with name ${name}`);
    const path = pathIn(input);
    const boundaryArn = optionalText(input, "PermissionsBoundary");
    if (boundaryArn !== null && this.#boundaries.documentOf(boundaryArn) === null) {
      throw new ServiceError(
        "NoSuchEntity",
        `Scope ARN: ${boundaryArn} does not exist or is not attachable.`,
        404,
      );
    }
    const role: StoredRole = {
      name,
      path,
      arn: `arn:aws:iam::${this.#account}:role${path}${name}`,
      trust: requiredText(input, "AssumeRolePolicyDocument"),
      boundaryArn,
      createdAt: new Date().toISOString(),
      tags: tagsIn(input),
      policies: {},
    };
    this.#roles.put(name, role);
    return { Role: shownRole(role) };
  }

  #putPolicy(input: Input): Output {
    const role = this.#role(input);
    const document = requiredText(input, "PolicyDocument");
    readPolicy(document);
    const policies = { ...role.policies, [nameIn(input, "PolicyName")]: document };
    checkLength(Object.values(policies));
    this.#roles.put(role.name, { ...role, policies });
    return {};
  }

  #deletePolicy(input: Input): Output {
    const role = this.#role(input);
    const name = nameIn(input, "PolicyName");
    const { [name]: gone, ...policies } = role.policies;
    if (gone === undefined) throw missing(`role policy with name ${name}`);
    this.#roles.put(role.name, { ...role, policies });
    return {};
  }

  #deleteRole(input: Input): Output {
    const { name, policies } = this.#role(input);
    if (Object.keys(policies).length > 0) throw held("must delete policies first");
    if (this.#profiles.list().some(({ role }) => role === name)) {
      throw held("must remove roles from instance profile first");
    }
    this.#roles.delete(name);
    return {};
  }

  #listRoles(input: Input): Output {
    const prefix = optionalText(input, "PathPrefix") ?? "/";
    const size = optionalNumber(input, "MaxItems", { min: 1, max: itemsMax }) ?? itemsDefault;
    const from = Number(optionalText(input, "Marker") ?? "0");
    const found = this.#roles.list().filter(({ path }) => path.startsWith(prefix));
    const isTruncated = found.length > from + size;
    return {
      Roles: found.slice(from, from + size).map(shownRole),
      IsTruncated: isTruncated,
      Marker: isTruncated ? String(from + size) : undefined,
    };
  }

  #createProfile(input: Input): Output {
    const name = nameIn(input, "InstanceProfileName");
    if (this.#profiles.get(name) !== undefined) throw exists(`Instance Profile ${name}`);
    const path = pathIn(input);
    const arn = `arn:aws:iam::${this.#account}:instance-profile${path}${name}`;
    const profile = { name, path, arn, createdAt: new Date().toISOString(), role: null };
    this.#profiles.put(name, profile);
    return {
      InstanceProfile: {
        Path: path,
        InstanceProfileName: name,
        InstanceProfileId: name,
        Arn: arn,
        CreateDate: profile.createdAt,
        Roles: [],
      },
    };
  }

  #addRole(input: Input): Output {
    const profile = this.#profile(input);
    const role = this.#role(input);
    if (profile.role !== null) {
      throw new ServiceError("LimitExceeded", "Cannot exceed quota for RolesPerInstanceProfile: 1", 409);
    }
    this.#profiles.put(profile.name, { ...profile, role: role.name });
    return {};
  }

  #removeRole(input: Input): Output {
    const profile = this.#profile(input);
    const name = nameIn(input, "RoleName");
    if (profile.role !== name) throw missing(`role ${name} in instance profile ${profile.name}`);
    this.#profiles.put(profile.name, { ...profile, role: null });
    return {};
  }

  #deleteProfile(input: Input): Output {
    const profile = this.#profile(input);
    if (profile.role !== null) throw held("must remove roles from instance profile first");
    this.#profiles.delete(profile.name);
    return {};
  }

  #role(input: Input): StoredRole {
    const name = nameIn(input, "RoleName");
    const role = this.#roles.get(name);
    if (role === undefined) throw missing(`role with name ${name}`);
    return role;
  }

  #profile(input: Input): StoredProfile {
    const name = nameIn(input, "InstanceProfileName");
    const profile = this.#profiles.get(name);
    if (profile === undefined) throw missing(`Instance Profile ${name}`);
    return profile;
  }
}

function shownRole({ arn, createdAt, name, path, trust }: StoredRole): Output {
  return {
    Path: path,
    RoleName: name,
    RoleId: name,
    Arn: arn,
    CreateDate: createdAt,
    AssumeRolePolicyDocument: encodeURIComponent(trust),
  };
}

function nameIn(input: Input, member: string): string {
  const name = requiredText(input, member);
  if (nameForm.test(name)) return name;
  throw new ServiceError("ValidationError", `The specified value for ${member} is invalid.`);
}

function pathIn(input: Input): string {
  const path = optionalText(input, "Path") ?? "/";
  if (pathForm.test(path)) return path;
  throw new ServiceError("ValidationError", "The specified value for path is invalid.");
}

/** Lists of the Query protocol: `Tags.member.1.Key`. */
export function tagsIn(input: Input): Tag[] {
  const tags = optionalObject(input, "Tags");
  return objectList(tags, "member").map((tag) => ({
    Key: requiredText(tag, "Key"),
    Value: optionalText(tag, "Value") ?? "",
  }));
}

const exists = (what: string) => new ServiceError("EntityAlreadyExists", `${what} already exists.`, 409);
const missing = (what: string) => new ServiceError("NoSuchEntity", `The ${what} cannot be found.`, 404);
const held = (why: string) => new ServiceError("DeleteConflict", `Cannot delete entity, ${why}.`, 409);
