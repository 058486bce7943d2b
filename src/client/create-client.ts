/** Makes a client on Node: checks the options and joins the client to node:net. The package's door exports it. */
import { Client } from './client.js';
import { type ClientOptions, resolveOptions } from './client-options.js';
import { nodeConnector } from './node-connector.js';

/**
 * A client of the nodes at `servers`; it starts connecting at once and never throws for a server that does not answer.
 * Throws HearsayError CONFIG, naming every option that is not valid.
 */
export function createClient(options: ClientOptions): Client {
  return new Client({ connector: nodeConnector }, resolveOptions(options));
}
