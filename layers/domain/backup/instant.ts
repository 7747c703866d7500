/** RFC 3339 with a zone; what is beyond microseconds PostgreSQL does not know either. */
const pattern =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

const daysPerEra = 146_097;
const yearsPerEra = 400;
/** From the first of March of the year 0 to 1970. */
const daysToEpoch = 719_468;
const microsPerSecond = 1_000_000n;
const microsPerMinute = 60n * microsPerSecond;
const microsPerHour = 60n * microsPerMinute;
const microsPerDay = 24n * microsPerHour;
const microDigits = 6;
const milliDigits = 3;

/** Days since 1970, by the calendar that everybody uses; years begin in March, so that a leap day comes last. */
function daysOf(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / yearsPerEra);
  const yearOfEra = shifted - era * yearsPerEra;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * daysPerEra + dayOfEra - daysToEpoch;
}

/** Microseconds since 1970. The text has passed a schema: `z.iso.datetime`, with an offset or without. */
export function instantOf(text: string): bigint {
  const match = pattern.exec(text);
  if (match === null) throw new Error(`"${text}" is no time with a zone`);
  const [, year, month, day, hour, minute, second = "0", fraction = "", sign, zoneHours, zoneMinutes] = match;
  const offset = (Number(zoneHours ?? 0) * 60 + Number(zoneMinutes ?? 0)) * (sign === "-" ? -1 : 1);
  const minutes =
    daysOf(Number(year), Number(month), Number(day)) * 1440 + Number(hour) * 60 + Number(minute);
  const seconds = (minutes - offset) * 60 + Number(second);
  return BigInt(seconds) * microsPerSecond + BigInt(fraction.padEnd(microDigits, "0"));
}

/** An instant in UTC; `fraction` has six digits. */
export function partsOf(instant: bigint): {
  readonly date: string;
  readonly timeOfDay: string;
  readonly fraction: string;
} {
  const micros = ((instant % microsPerDay) + microsPerDay) % microsPerDay;
  const clock = [
    micros / microsPerHour,
    (micros % microsPerHour) / microsPerMinute,
    (micros % microsPerMinute) / microsPerSecond,
  ];
  return {
    date: dateOf((instant - micros) / microsPerDay),
    timeOfDay: clock.map((part) => String(part).padStart(2, "0")).join(":"),
    fraction: String(micros % microsPerSecond).padStart(microDigits, "0"),
  };
}

/** The civil date of a day since 1970; the other way round than {@link daysOf}. */
function dateOf(days: bigint): string {
  const shifted = Number(days) + daysToEpoch;
  const era = Math.floor(shifted / daysPerEra);
  const dayOfEra = shifted - era * daysPerEra;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / (daysPerEra - 1))) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const year = yearOfEra + era * yearsPerEra + (month <= 2 ? 1 : 0);
  return `${String(year).padStart(4, "0")}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`;
}

/** In UTC, to the millisecond. */
export function timeOf(instant: bigint): string {
  const { date, fraction, timeOfDay } = partsOf(instant);
  return `${date}T${timeOfDay}.${fraction.slice(0, milliDigits)}Z`;
}

/** Negative: earlier. */
export function secondsLater(time: string, seconds: number): string {
  return timeOf(instantOf(time) + BigInt(seconds) * microsPerSecond);
}

/** So many days later, to the millisecond. */
export const daysAfter = (time: string, days: number): string =>
  timeOf(instantOf(time) + BigInt(days) * microsPerDay);

/** Between two moments. */
export function secondsBetween(from: string, to: string): number {
  return Number(instantOf(to) - instantOf(from)) / Number(microsPerSecond);
}

/** For sorting. */
export function byInstant(left: string, right: string): number {
  const [one, other] = [instantOf(left), instantOf(right)];
  return one < other ? -1 : one > other ? 1 : 0;
}
