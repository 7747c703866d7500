import { ServiceError } from "../service.ts";
import type { Ec2Context } from "./context.ts";
import { notFound } from "./errors.ts";
import { type Input, requiredText, text, textList } from "./input.ts";
import { filtered, paged, selected } from "./listing.ts";
import type { Ec2State, TemplateRecord, TemplateVersion } from "./state.ts";
import { renderTags } from "./tags.ts";

/** The version of a launch template that `LaunchTemplate` of RunInstances names. */
export function resolveTemplate(
  state: Ec2State,
  reference: Input,
): { template: TemplateRecord; version: TemplateVersion } {
  const template = templateNamed(state, reference);
  return { template, version: versionNamed(template, text(reference, "Version") ?? "$Default") };
}

function templateNamed(state: Ec2State, input: Input): TemplateRecord {
  const id = text(input, "LaunchTemplateId");
  if (id !== null) {
    const found = state.templates.get(id);
    if (found === undefined) throw notFound("launch-template", id);
    return found;
  }
  const name = requiredText(input, "LaunchTemplateName");
  const found = state.templates.list().find((one) => one.launchTemplateName === name);
  if (found === undefined) throw nameNotFound(name);
  return found;
}

function nameNotFound(name: string): ServiceError {
  return new ServiceError(
    "InvalidLaunchTemplateName.NotFoundException",
    `The specified launch template, with template name ${name}, does not exist.`,
  );
}

function versionNamed(template: TemplateRecord, name: string): TemplateVersion {
  const latest = template.versions.at(-1)?.version ?? 0;
  const number = name === "$Latest" ? latest : name === "$Default" ? template.defaultVersion : Number(name);
  const found = template.versions.find((one) => one.version === number);
  if (found === undefined) {
    throw new ServiceError(
      "InvalidLaunchTemplateId.VersionNotFound",
      `Could not find the specified version ${name} for the launch template with ID ${template.launchTemplateId}.`,
    );
  }
  return found;
}

export function describeLaunchTemplates(context: Ec2Context, input: Input): Record<string, unknown> {
  const { state } = context;
  const names = textList(input, "LaunchTemplateName");
  const all = state.templates.list();
  const missing = names.find((name) => !all.some((one) => one.launchTemplateName === name));
  if (missing !== undefined) throw nameNotFound(missing);
  const templates = selected(
    textList(input, "LaunchTemplateId"),
    () => all,
    (id) => state.templates.get(id),
    (id) => notFound("launch-template", id),
  ).filter((one) => names.length === 0 || names.includes(one.launchTemplateName));
  const matching = filtered(
    templates,
    input,
    (one) => ({ "launch-template-name": [one.launchTemplateName], "create-time": [one.createdAt] }),
    (one) => one.tags,
    ["launch-template-name", "create-time"],
  );
  const { items, nextToken } = paged(matching, input, (one) => one.launchTemplateId);
  return { launchTemplates: items.map((one) => renderTemplate(context, one)), nextToken };
}

function renderTemplate(context: Ec2Context, one: TemplateRecord): Record<string, unknown> {
  return {
    launchTemplateId: one.launchTemplateId,
    launchTemplateName: one.launchTemplateName,
    createTime: one.createdAt,
    createdBy: `arn:aws:iam::${context.account}:root`,
    defaultVersionNumber: one.defaultVersion,
    latestVersionNumber: one.versions.at(-1)?.version,
    tagSet: renderTags(one.tags),
  };
}

export function describeLaunchTemplateVersions(context: Ec2Context, input: Input): Record<string, unknown> {
  const template = templateNamed(context.state, input);
  const names = textList(input, "LaunchTemplateVersion");
  const versions = names.length === 0 ? template.versions : names.map((name) => versionNamed(template, name));
  return {
    launchTemplateVersionSet: versions.map((version) => ({
      launchTemplateId: template.launchTemplateId,
      launchTemplateName: template.launchTemplateName,
      versionNumber: version.version,
      createTime: version.createdAt,
      createdBy: `arn:aws:iam::${context.account}:root`,
      defaultVersion: version.version === template.defaultVersion,
      launchTemplateData: renderData(version),
    })),
  };
}

function renderData({ data }: TemplateVersion): Record<string, unknown> {
  return {
    imageId: data.imageId,
    instanceType: data.instanceType,
    iamInstanceProfile: data.instanceProfileArn === null ? undefined : { arn: data.instanceProfileArn },
    tagSpecificationSet: Object.entries(data.tags).map(([resourceType, tags]) => ({
      resourceType,
      tagSet: renderTags(tags),
    })),
  };
}
