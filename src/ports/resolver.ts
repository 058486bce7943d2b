/**
 * Port: names to numeric addresses. Law: the answer comes as a `nameResolved(token, hosts)` event, empty when the name
 * does not resolve; a numeric address resolves to itself.
 */
export interface Resolver {
  resolve(name: string, token: number): void;
}
