/**
 * The cluster as clients see it: every member of the ring or the membership, in order of id, with the slots that the slot map
 * gives it. A pure reading of ownership and membership; equal on nodes that agree on both.
 */
import type { ClusterNodeView } from '../commands/host.js';
import type { Membership } from '../membership/membership.js';
import { slotRanges } from '../partitions/slot-map.js';
import type { Ownership } from '../replication/ownership.js';
import { hexIdOf } from './identity.js';

export function clusterView(membership: Membership, ownership: Ownership): ClusterNodeView[] {
  const { members } = ownership.placement;
  const ranges = slotRanges(ownership.slotMapPrimaries(), members.length);
  return membership.members().map((member) => {
    const index = members.indexOf(member.id);
    return {
      hexId: hexIdOf(member.id),
      name: member.id,
      host: member.host,
      port: member.respPort,
      gossipPort: member.port,
      self: member.id === membership.self.id,
      state: member.state,
      incarnation: member.incarnation,
      slots: index < 0 ? [] : ranges[index],
    };
  });
}
