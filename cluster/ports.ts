/**
 * Whether a port of this machine is taken, by TCP or UDP, found out by taking it for a moment.
 * The local cluster asks before it starts anything, so that the answer is one clear line.
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

export async function portTaken(host: string, port: number): Promise<boolean> {
  return (await tcpTaken(host, port)) || (await udpTaken(host, port));
}

function tcpTaken(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(true));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(false)));
  });
}

function udpTaken(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => {
      socket.close();
      resolve(true);
    });
    socket.bind({ address: host, port, exclusive: true }, () => socket.close(() => resolve(false)));
  });
}
