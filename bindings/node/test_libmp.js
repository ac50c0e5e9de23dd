// test_libmp.js PEER NAME: the binding's test, with bindings/peer.c at the other end and names that begin so.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { setTimeout as sleep, setImmediate as tick } from "node:timers/promises";
import { Event, Lock, MpError, Pool, Queue, reap, unlink } from "./libmp.js";

const [peer, prefix] = process.argv.slice(2);
const wait = { timeout: 30_000 };

function run(...parameters) {
  const child = spawn(peer, parameters, { stdio: ["pipe", "pipe", "inherit"] });
  return { child, end: once(child, "exit") };
}

function number(i) {
  const data = Buffer.alloc(8);
  data.writeBigInt64LE(BigInt(i));
  return data;
}

// What the promise comes to, which waits for what act does. Meanwhile the loop turns.
async function waits(promise, act) {
  let done = false;
  const finish = () => (done = true);
  promise.then(finish, finish);
  for (let turns = 0; turns < 3; turns++) {
    await tick();
    assert(!done);
  }
  act();
  return promise;
}

const fails = (code, call) => assert.rejects(async () => call(), (error) => error instanceof MpError && error.code === code);

const tests = {
  async queue() {
    const echo = run("echo", `${prefix}-queue`);
    const there = new Queue({ name: `${prefix}-queue-in` }), back = new Queue({ name: `${prefix}-queue-out` });
    await fails("MP_ERR_EMPTY", () => back.get({ timeout: 0 }));
    await fails("MP_ERR_EMPTY", () => back.get({ timeout: 5 }));
    const messages = [Buffer.alloc(0), Buffer.from([0, 255]), Buffer.alloc(3_000_000, "abc")];
    for (let i = 0; i < 1000; i++) messages.push(Buffer.from(`message ${i}`));
    for (const message of messages) await there.put(message, wait);
    for (const message of messages) assert.deepEqual(await back.get(wait), Buffer.from(message).reverse());
    const both = Promise.all([back.get(wait), back.get(wait)]);
    await there.put("ab");
    await there.put(new Uint16Array([0x4241]));
    assert.deepEqual((await both).map(String), ["ba", "BA"]);
    const stop = new AbortController();
    const given_up = back.get({ signal: stop.signal });
    stop.abort();
    await assert.rejects(given_up, { name: "AbortError" });
    for (const text of ["1", "2", null]) await there.put(text);
    const got = [];
    for await (const message of back) got.push(String(message));
    assert.deepEqual(got, ["1", "2"]);
    assert.equal((await echo.end)[0], 0);
    assert.equal(back.length, 0);
    back.shutdown();
    await fails("MP_ERR_CLOSED", () => back.put(""));
    for await (const _ of back) assert.fail();
    const small = new Queue({ maxsize: 1 });
    await small.put("1");
    await fails("MP_ERR_FULL", () => small.put("2", { timeout: 5 }));
    const second = small.put("2", wait);
    await sleep(5);
    await small.get();
    await second;
    assert.equal(String(await small.get(wait)), "2");
    const abandoned = small.get();
    there.close();
    back.close();
    small.close();
    small.close();
    await fails("MP_ERR_BAD_HANDLE", () => abandoned);
    await fails("MP_ERR_BAD_HANDLE", () => small.get());
    unlink(`${prefix}-queue-in`);
    unlink(`${prefix}-queue-out`);
    await fails("MP_ERR_NOT_FOUND", () => unlink(`${prefix}-queue-in`));
    assert.throws(() => new Queue({ name: `${prefix}\0` }), TypeError);
    assert(reap() >= 0);
  },

  async lock() {
    const lock = new Lock({ name: `${prefix}-lock` });
    const holder = run("lock", `${prefix}-lock`);
    assert.equal(String((await once(holder.child.stdout, "data"))[0]), "held\n");
    assert(lock.locked && !(await lock.acquire({ timeout: 20 })));
    assert.equal(await waits(lock.run(async (died) => died), () => holder.child.kill("SIGKILL")), true);
    assert.deepEqual(await holder.end, [null, "SIGKILL"]);
    // One after the other, also within this process; an error releases it.
    let inside = 0;
    const alone = async (died) => {
      assert(!died && inside++ === 0);
      await sleep(1);
      inside--;
    };
    await Promise.all([1, 2, 3].map(() => lock.run(alone)));
    await assert.rejects(lock.run(() => assert.fail("mine")), /mine/);
    assert(!lock.locked);
    await fails("MP_ERR_OVER_RELEASE", () => lock.release());
    lock.close();
    unlink(`${prefix}-lock`);
  },

  async event() {
    const event = new Event({ name: `${prefix}-event` });
    assert(!event.isSet && !(await event.wait({ timeout: 5 })));
    const setter = run("event", `${prefix}-event`);
    const both = Promise.all([event.wait(), event.wait(wait)]);
    assert.deepEqual(await waits(both, () => setter.child.stdin.write("\n")), [true, true]);
    await setter.end;
    assert(event.isSet && (await event.wait()));
    event.clear();
    assert(!event.isSet);
    event.close();
    unlink(`${prefix}-event`);
  },

  async pool() {
    const pool = new Pool(peer, { workers: 2 });
    const items = Array.from({ length: 200 }, (_, i) => number(i));
    const cubes = items.map((_, i) => number(i ** 3));
    assert.deepEqual(await pool.map("cube", items), cubes);
    assert.deepEqual(await pool.map("cube", []), []);
    await assert.rejects(pool.apply("cube", "7"), { code: "MP_ERR_TASK_FAILED", message: /cube takes 8 bytes/ });
    await assert.rejects(pool.apply("die", ""), { code: "MP_ERR_WORKER_DIED", message: /SIGKILL/ });
    await fails("MP_ERR_UNKNOWN_TARGET", () => pool.apply("unheard of", ""));
    await fails("MP_ERR_TIMEOUT", () => pool.apply("sleeps", "", { timeout: 10 }));
    await assert.rejects(pool.apply("sleeps", "", { signal: AbortSignal.timeout(10) }), { name: "TimeoutError" });
    assert.deepEqual(await pool.apply("cube", number(5)), number(125));
    const busy = pool.apply("sleeps", "");
    await sleep(5);
    const closed = pool.close();
    await fails("MP_ERR_CANCELLED", () => busy);
    await closed;
    await fails("MP_ERR_OS", () => new Pool("/nowhere/at/all"));
    await fails("MP_ERR_NOT_INITIALIZED", () => new Pool(["/bin/true"]));
  },

  async collected() {
    const descriptors = () => readdirSync("/proc/self/fd").length;
    const before = descriptors();
    for (let i = 0; i < 200; i++) await new Event().wait({ timeout: 0.01 });
    while (descriptors() > before) {
      globalThis.gc();
      await sleep(1);
    }
  },
};

for (const [name, test] of Object.entries(tests)) {
  await test();
  console.log(name);
}
