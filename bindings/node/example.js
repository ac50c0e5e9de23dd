// example.js WORKER: cubes of numbers, by workers in C. WORKER is build/check/bindings/peer.
import { Pool } from "./libmp.js";

const pool = new Pool(process.argv[2], { workers: 2 });
const cubes = await pool.map("cube", [1n, 2n, 3n, 4n, 5n].map((n) => new BigInt64Array([n])));
console.log(`[${cubes.map((cube) => cube.readBigInt64LE()).join(", ")}]`);
await pool.close();
