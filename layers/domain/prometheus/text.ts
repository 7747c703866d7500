/** Prometheus' text format, and the version of it. */
export const textType = "text/plain; version=0.0.4; charset=utf-8";

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric that goes up and down, with all of its series. */
export interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
const quoted = (value: string): string => `"${escaped(value).replaceAll('"', '\\"')}"`;

function line(name: string, { labels, value }: Sample): string {
  const list = Object.entries(labels).map(([label, text]) => `${label}=${quoted(text)}`);
  return `${name}{${list.join(",")}} ${value}`;
}

/** Gauges without a series are left out. */
export function renderText(gauges: readonly Gauge[]): string {
  const lines = gauges
    .filter(({ samples }) => samples.length > 0)
    .flatMap(({ help, name, samples }) => [
      `# HELP ${name} ${escaped(help)}`,
      `# TYPE ${name} gauge`,
      ...samples.map((sample) => line(name, sample)),
    ]);
  return lines.map((one) => `${one}\n`).join("");
}
