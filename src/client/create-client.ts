/** Makes a client on Node: checks the options and joins the client to node:net. The package's door exports it. */
import { Client } from './client.js';
import { type ClientOptions, resolveOptions } from './client-options.js';
import { nodeConnector } from './node-connector.js';

/**
 * A client of the nodes at `servers`, by default of the one at 127.0.0.1:7379; it starts connecting at once and never throws for a
 * server that does not answer. Throws HearsayError CONFIG, naming every option that is not valid or that nobody knows.
 */
export function createClient(options?: ClientOptions): Client {
  return new Client({ connector: nodeConnector }, resolveOptions(options));
}
