/**
 * Port: names to numeric addresses. Law: the answer comes as a `nameResolved(token, hosts, why)` event; when the name does not
 * resolve it has no hosts, and `why` is a short word for that, as ENOTFOUND; a numeric address resolves to itself.
 */
export interface Resolver {
  resolve(name: string, token: number): void;
}
