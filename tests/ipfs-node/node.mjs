// A js-ipfs node with its HTTP RPC on a free port of the loopback interface: node node.mjs REPOSITORY
// It talks to no other node, prints the RPC's address once it listens, and ends with its standard input.
import './polyfill.cjs'
import { create } from 'ipfs-core'
import { HttpApi } from 'ipfs-http-server'

process.stdin.on('end', () => process.exit()).resume()
const node = await create({
  repo: process.argv[2],
  offline: true,
  silent: true,
  preload: { enabled: false },
  init: { emptyRepo: true, algorithm: 'Ed25519', profiles: ['test'] },
  config: { Addresses: { Swarm: [], API: '/ip4/127.0.0.1/tcp/0', Gateway: '' } }
})
const api = new HttpApi(node)
await api.start()
console.log(api._apiServers[0].info.uri)
