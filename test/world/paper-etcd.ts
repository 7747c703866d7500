export interface EtcdMember {
  readonly memberId: string;
  readonly address: string;
  isLearner: boolean;
  /** Empty until it has started for the first time. */
  name: string;
}

/** What the machines say of a member: whether its process runs, on the data that is its own. */
export type RunsAs = (member: EtcdMember) => boolean;

/** etcd's list of members and its rules: what etcd refuses, this refuses, in a word of its own. */
export class PaperEtcd {
  readonly members: EtcdMember[] = [];
  leader: string | null = null;
  #made = 0;
  readonly #runs: RunsAs;

  constructor(runs: RunsAs) {
    this.#runs = runs;
  }

  get voters(): EtcdMember[] {
    return this.members.filter((member) => !member.isLearner);
  }

  isHealthy(member: EtcdMember): boolean {
    return this.hasQuorum && this.#runs(member);
  }

  get hasQuorum(): boolean {
    const up = this.voters.filter((member) => this.#runs(member));
    return up.length > this.voters.length / 2;
  }

  /** The members that it begins with. */
  found(address: string, name: string): EtcdMember {
    const member = { memberId: this.#nextId(), address, isLearner: false, name };
    this.members.push(member);
    this.leader ??= member.memberId;
    return member;
  }

  addLearner(address: string): string {
    const known = this.members.find((member) => member.address === address);
    if (known !== undefined) return known.memberId;
    this.#mustDecide();
    must(!this.members.some((member) => member.isLearner), "too many learner members in cluster");
    const member = { memberId: this.#nextId(), address, isLearner: true, name: "" };
    this.members.push(member);
    return member.memberId;
  }

  promote(memberId: string): void {
    const member = this.members.find((one) => one.memberId === memberId);
    if (member === undefined) throw new Error("member not found");
    this.#mustDecide();
    must(this.#runs(member), "can only promote a learner member which is in sync with leader");
    member.isLearner = false;
  }

  /** Gone already is success, as the node program makes it. */
  remove(memberId: string): void {
    const index = this.members.findIndex((one) => one.memberId === memberId);
    if (index < 0) return;
    this.#mustDecide();
    const others = this.voters.filter((one) => one.memberId !== memberId);
    const healthy = others.filter((one) => this.#runs(one)).length;
    must(healthy > others.length / 2, "re-configuration failed due to not enough started members");
    this.members.splice(index, 1);
    if (this.leader === memberId) this.leader = others.find((one) => this.#runs(one))?.memberId ?? null;
  }

  lead(address: string): void {
    this.leader = this.members.find((one) => one.address === address)?.memberId ?? this.leader;
  }

  #mustDecide(): void {
    must(this.hasQuorum, "etcdserver: no leader");
  }

  #nextId(): string {
    this.#made += 1;
    return String(9_000_000_000_000_000_000n + BigInt(this.#made));
  }
}

function must(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
