// Asks a gateway by @stoqey/ib, and prints what came: node stoqey_client.js <folder with node_modules> <host> <port>
const { IBApi, EventName } = require(process.argv[2] + "/node_modules/@stoqey/ib");
const ib = new IBApi({ host: process.argv[3], port: Number(process.argv[4]), clientId: 5 });
const found = { bars: [], zones: [], errors: [] };
const stock = { symbol: "AAPL", secType: "STK", exchange: "SMART", currency: "USD" };
const end = (status) => {
  console.log(JSON.stringify(found));
  process.exit(status);
};
ib.on(EventName.error, (error, code, id) => {
  if (id < 0) return;
  found.errors.push(code);
  ib.disconnect();
  end(0);
});
ib.on(EventName.server, (version) => (found.version = version));
ib.on(EventName.nextValidId, () => ib.reqCurrentTime());
ib.on(EventName.currentTime, (time) => {
  found.time = time;
  ib.reqContractDetails(1, stock);
});
ib.on(EventName.contractDetails, (id, details) => found.zones.push(details.timeZoneId));
ib.on(EventName.contractDetailsEnd, () => ib.reqHeadTimestamp(2, stock, "TRADES", true, 2));
ib.on(EventName.headTimestamp, (id, head) => {
  found.head = head;
  ib.reqHistoricalData(3, stock, "20240315-20:00:00", "1 D", "1 hour", "TRADES", 1, 2, false);
});
ib.on(EventName.historicalData, (id, time, open, high, low, close, volume) => {
  if (String(time).startsWith("finished")) ib.reqContractDetails(4, { ...stock, symbol: "NOPE" });
  else found.bars.push([Number(time), open, high, low, close, volume]);
});
setTimeout(() => end(3), 20000);
ib.connect();
