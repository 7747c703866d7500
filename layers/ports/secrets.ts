/** Secrets of clusters. Values go from here to Parameter Store and to nothing else. */
export interface Secrets {
  /** Creates the parameter, or leaves the one that is there as it is: a password is made once. */
  ensure(name: string, clusterId: string, makeValue: () => Promise<string>): Promise<void>;
  /** Gives a parameter that is there another value. */
  replace(name: string, value: string): Promise<void>;
  /** Removes these parameters; those that are gone already are none to remove. */
  remove(names: readonly string[]): Promise<void>;
  /** Null where there is no such parameter. */
  find(name: string): Promise<string | null>;
  /** @throws when there is no such parameter. */
  read(name: string): Promise<string>;
  /** Removes every parameter below `path`; none is success. */
  removeAll(path: string): Promise<void>;
}
