/** The stand-in for ciphers keeps the laws of their port. */
import { SimSecrets } from '../../src/sim/secrets.js';
import { describeSecrets } from '../contract/secrets.js';

describeSecrets('the simulator', () => new SimSecrets(['a secret'], 1));
