// What an operator can do with a metadata folder that is not to be trusted any more: said by every refusal of such a folder.

/** Sentences with the ways out for a replica whose metadata.log.dir, `directory`, cannot be used. */
export function formatAnew(directory: string): string {
  return `Remove meta.properties, durable-end, metadata and snapshots from ${directory} and format it again ('kvorum format'): the node then joins as a new replica, to be made a voter in place of the old one ('kvorum quorum remove-voter', 'kvorum quorum add-voter'). If too few other controllers are left for a majority, see 'kvorum quorum recover --help'`;
}
