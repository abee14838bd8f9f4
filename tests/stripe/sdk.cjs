// Stripe's own client for Node talks to the server of the tests: BASE and the folder of its package.
const [base, folder] = process.argv.slice(2);
const { createRequire } = require('node:module');
const Stripe = createRequire(folder + '/')('stripe');
const assert = require('node:assert');

const url = new URL(base);
const stripe = new (Stripe.default ?? Stripe)('sk_test_of_this_test', {
  host: url.hostname, port: Number(url.port), protocol: 'http', maxNetworkRetries: 0,
});

async function refused(work) {
  try { await work; } catch (error) { return error; }
  throw new Error('it was not refused');
}

(async () => {
  const customer = await stripe.customers.create({ name: 'Acme', metadata: { aimeter_tenant: 'acme' } });
  assert.match(customer.id, /^cus_/);
  assert.equal((await stripe.customers.retrieve(customer.id)).name, 'Acme');
  const found = await stripe.customers.search({ query: "metadata['aimeter_tenant']:'acme'" });
  assert.equal(found.data[0].id, customer.id);

  const item = { customer: customer.id, amount: 1999, currency: 'usd', metadata: { aimeter_batch: 'k1' } };
  const first = await stripe.invoiceItems.create(item, { idempotencyKey: 'key-1' });
  const again = await stripe.invoiceItems.create(item, { idempotencyKey: 'key-1' });
  assert.equal(again.id, first.id);
  assert.equal(first.amount, 1999);
  const other = await refused(stripe.invoiceItems.create({ ...item, amount: 1 }, { idempotencyKey: 'key-1' }));
  assert.equal(other.type, 'StripeIdempotencyError');
  const unknown = await refused(stripe.invoiceItems.create({ ...item, colour: 'red' }));
  assert.equal(unknown.code, 'parameter_unknown');
  assert.equal(unknown.param, 'colour');
  const nobody = await refused(stripe.invoiceItems.create({ ...item, customer: 'cus_none' }));
  assert.equal(nobody.code, 'resource_missing');
  const dinars = await refused(stripe.invoiceItems.create({ ...item, currency: 'kwd' }));
  assert.equal(dinars.param, 'amount');

  for (let n = 0; n < 5; ++n) await stripe.invoiceItems.create({ ...item, amount: n });
  const amounts = [];
  for await (const one of stripe.invoiceItems.list({ customer: customer.id, limit: 2 })) amounts.push(one.amount);
  assert.deepEqual(amounts, [4, 3, 2, 1, 0, 1999]);

  const event = { event_name: 'ai_tokens', identifier: 'm1', payload: { stripe_customer_id: customer.id, value: '25' } };
  assert.equal((await stripe.billing.meterEvents.create(event)).identifier, 'm1');
  assert.equal((await refused(stripe.billing.meterEvents.create(event))).param, 'identifier');
  const old = { ...event, identifier: 'm2', timestamp: 1 };
  assert.equal((await refused(stripe.billing.meterEvents.create(old))).param, 'timestamp');

  const stranger = new (Stripe.default ?? Stripe)('sk_test_other', {
    host: url.hostname, port: Number(url.port), protocol: 'http', maxNetworkRetries: 0,
  });
  assert.equal((await refused(stranger.customers.retrieve(customer.id))).type, 'StripeAuthenticationError');

  // A header that our own code made must convince it, and the other way round.
  const [body, header] = [process.env.SIGNED_BODY, process.env.SIGNED_HEADER];
  const told = stripe.webhooks.constructEvent(body, header, 'whsec_of_this_test', 1e12);
  assert.equal(told.id, 'evt_1');
  console.log('header ' + stripe.webhooks.generateTestHeaderString({
    payload: body, secret: 'whsec_of_this_test', timestamp: 1790000000 }));
  console.log('all is well');
})().catch((error) => { console.error(error); process.exit(1); });
