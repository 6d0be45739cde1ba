// Writes the files beside it with Apache Kafka's own log classes. See README.md for how it is run.
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.io.PrintWriter;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ScheduledFuture;
import java.util.function.Supplier;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.KRaftVersionRecord;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.message.SnapshotHeaderRecord;
import org.apache.kafka.common.record.ControlRecordType;
import org.apache.kafka.common.record.EndTransactionMarker;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.MemoryRecordsBuilder;
import org.apache.kafka.common.record.Record;
import org.apache.kafka.common.record.RecordBatch;
import org.apache.kafka.common.record.SimpleRecord;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.metadata.properties.MetaProperties;
import org.apache.kafka.metadata.properties.MetaPropertiesVersion;
import org.apache.kafka.metadata.properties.PropertiesUtils;
import org.apache.kafka.server.util.Scheduler;
import org.apache.kafka.storage.internals.checkpoint.OffsetCheckpointFile;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.Cleaner;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.LogSegment;
import org.apache.kafka.storage.internals.log.LogToClean;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.SkimpyOffsetMap;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.apache.kafka.storage.internals.utils.Throttler;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

public class Generate {
  static final ObjectMapper JSON = new ObjectMapper();
  static final Uuid TOPIC_ID = new Uuid(0x0123456789abcdefL, 0x0fedcba987654321L);

  /** Stands still unless moved, so that every run writes the same bytes. */
  static class FixedTime implements Time {
    long now = 1_700_000_000_000L;
    public long milliseconds() { return now; }
    public long nanoseconds() { return now * 1_000_000L; }
    public void sleep(long ms) { now += ms; }
    public void waitObject(Object obj, Supplier<Boolean> condition, long deadlineMs) {}
  }

  static final FixedTime TIME = new FixedTime();

  /** Runs at once what is to run once, and never what is to run again and again. */
  static class AtOnce implements Scheduler {
    public void startup() {}
    public void shutdown() {}
    public void resizeThreadPool(int size) {}
    public ScheduledFuture<?> schedule(String name, Runnable task, long delayMs, long periodMs) {
      if (periodMs < 0) task.run();
      return (ScheduledFuture<?>) Proxy.newProxyInstance(Generate.class.getClassLoader(),
          new Class<?>[] {ScheduledFuture.class}, (proxy, method, arguments) -> true);
    }
  }

  static LogConfig config(String... pairs) {
    Properties properties = new Properties();
    properties.put("segment.bytes", "1048576");
    properties.put("index.interval.bytes", "600");
    properties.put("segment.index.bytes", "1200");
    for (int i = 0; i < pairs.length; i += 2) properties.put(pairs[i], pairs[i + 1]);
    return new LogConfig(properties);
  }

  static UnifiedLog open(Path folder, LogConfig config) throws Exception {
    Files.createDirectories(folder);
    UnifiedLog log = UnifiedLog.create(folder.toFile(), config, 0L, 0L, new AtOnce(), new BrokerTopicStats(), TIME,
        300_000, new ProducerStateManagerConfig(86_400_000, false), 600_000, new LogDirFailureChannel(10), true,
        Optional.of(TOPIC_ID));
    log.partitionMetadataFile().get().maybeFlush();
    return log;
  }

  static SimpleRecord[] records(int count, int seed) {
    SimpleRecord[] records = new SimpleRecord[count];
    for (int i = 0; i < count; i++) {
      long time = TIME.now + i;
      byte[] key = i % 3 == 1 ? null : ("key-" + seed + "-" + i).getBytes();
      byte[] value = i % 5 == 4 ? null : ("value-" + seed + "-" + i + "-").repeat(1 + i % 4).getBytes();
      records[i] = i % 4 != 2 ? new SimpleRecord(time, key, value)
          : new SimpleRecord(time, key, value, new RecordHeader[] {
              new RecordHeader("h" + i, new byte[] {(byte) i, 0, -1}), new RecordHeader("empty", null),
              new RecordHeader("", new byte[0])});
    }
    return records;
  }

  static void append(UnifiedLog log, MemoryRecords records, int epoch) throws Exception {
    TIME.now += 1_000;
    log.appendAsLeader(records, epoch);
  }

  static void end(UnifiedLog log, long producerId, short producerEpoch, ControlRecordType type, int epoch)
      throws Exception {
    TIME.now += 1_000;
    log.appendAsLeader(MemoryRecords.withEndTransactionMarker(TIME.now, producerId, producerEpoch,
        new EndTransactionMarker(type, 7)), epoch, AppendOrigin.COORDINATOR);
  }

  /** All codecs; idempotent, transactional, committed, aborted and open; three leader epochs; LogAppendTime in the last segment. */
  static UnifiedLog mixed(Path folder) throws Exception {
    UnifiedLog log = open(folder, config());
    int seed = 0;
    for (Compression codec : new Compression[] {Compression.NONE, Compression.gzip().build(),
        Compression.snappy().build(), Compression.lz4().build(), Compression.zstd().build()}) {
      append(log, MemoryRecords.withRecords(codec, records(7, seed++)), 0);
      append(log, MemoryRecords.withRecords(codec, records(30, seed++)), 0);
    }
    log.roll();
    int sequence = Integer.MAX_VALUE - 5;
    for (int i = 0; i < 8; i++) {
      append(log, MemoryRecords.withIdempotentRecords(Compression.lz4().build(), 4242L, (short) 1, sequence,
          records(3, seed++)), 3);
      sequence = (int) (((long) sequence + 3) % (1L + Integer.MAX_VALUE));
    }
    append(log, MemoryRecords.withTransactionalRecords(Compression.NONE, 5000L, (short) 0, 0, records(4, seed++)), 3);
    append(log, MemoryRecords.withTransactionalRecords(Compression.NONE, 5001L, (short) 2, 0, records(2, seed++)), 3);
    end(log, 5000L, (short) 0, ControlRecordType.COMMIT, 3);
    end(log, 5001L, (short) 2, ControlRecordType.ABORT, 3);
    append(log, MemoryRecords.withTransactionalRecords(Compression.NONE, 5001L, (short) 2, 2, records(1, seed++)), 5);
    log.roll();
    log.updateConfig(config("message.timestamp.type", "LogAppendTime"));
    for (Compression codec : new Compression[] {Compression.NONE, Compression.gzip().build()}) {
      append(log, MemoryRecords.withRecords(codec, records(20, seed++)), 5);
      append(log, MemoryRecords.withIdempotentRecords(codec, 4242L, (short) 2, codec == Compression.NONE ? 0 : 20,
          records(20, seed++)), 5);
    }
    log.updateHighWatermark(log.logEndOffset());
    return log;
  }

  /** Keys that come again, tombstones, ended transactions, cleaned twice: gaps in and between segments, an emptied batch, delete horizons. */
  static UnifiedLog compacted(Path folder) throws Exception {
    UnifiedLog log = open(folder, config("cleanup.policy", "compact", "delete.retention.ms", "86400000",
        "internal.segment.bytes", "900"));
    append(log, MemoryRecords.withIdempotentRecords(Compression.NONE, 79L, (short) 3, 0,
        new SimpleRecord(TIME.now, "key-0".getBytes(), "soon written over".getBytes())), 0);
    for (int i = 0; i < 30; i++) {
      SimpleRecord[] some = new SimpleRecord[4];
      for (int j = 0; j < 4; j++) {
        byte[] value = (i + j) % 9 == 8 ? null : ("value-" + i + "-" + j).getBytes();
        some[j] = new SimpleRecord(TIME.now + j, ("key-" + (i * 4 + j) * 7 % 23).getBytes(), value);
      }
      append(log, i % 3 == 0 ? MemoryRecords.withIdempotentRecords(Compression.zstd().build(), 77L, (short) 0,
          i / 3 * 4, some) : MemoryRecords.withRecords(Compression.NONE, some), i / 10);
      if (i == 14 || i == 22) {
        append(log, MemoryRecords.withTransactionalRecords(Compression.NONE, 78L, (short) 0, i == 14 ? 0 : 1,
            new SimpleRecord(TIME.now, "key-tx".getBytes(), ("in-transaction-" + i).getBytes())), i / 10);
        end(log, 78L, (short) 0, i == 14 ? ControlRecordType.ABORT : ControlRecordType.COMMIT, i / 10);
      }
    }
    log.updateHighWatermark(log.logEndOffset());
    for (int round = 0; round < 2; round++) {
      Cleaner cleaner = new Cleaner(0, new SkimpyOffsetMap(1 << 20), 1 << 16, 1 << 20, 0.9,
          new Throttler(Double.MAX_VALUE, 300, "throttler", "entries", TIME), TIME, partition -> {});
      long uncleanable = log.logSegments().get(log.logSegments().size() - 1).baseOffset();
      cleaner.clean(new LogToClean(log, 0L, uncleanable, true));
    }
    return log;
  }

  /** Every batch and record as Kafka reads it, a line per batch. */
  static void describe(UnifiedLog log, PrintWriter out) throws Exception {
    for (LogSegment segment : log.logSegments()) {
      for (var batch : segment.log().batches()) {
        ObjectNode o = JSON.createObjectNode();
        o.put("segment", segment.baseOffset()).put("position", batch.position()).put("sizeInBytes", batch.sizeInBytes());
        o.put("baseOffset", batch.baseOffset()).put("lastOffset", batch.lastOffset());
        o.put("recordsCount", batch.countOrNull()).put("leaderEpoch", batch.partitionLeaderEpoch());
        o.put("crc", batch.checksum()).put("codec", batch.compressionType().name);
        o.put("timestampType", batch.timestampType().name).put("maxTimestamp", batch.maxTimestamp());
        o.put("producerId", batch.producerId()).put("producerEpoch", batch.producerEpoch());
        o.put("baseSequence", batch.baseSequence()).put("lastSequence", batch.lastSequence());
        o.put("isTransactional", batch.isTransactional()).put("isControl", batch.isControlBatch());
        if (batch.deleteHorizonMs().isPresent()) o.put("deleteHorizonMs", batch.deleteHorizonMs().getAsLong());
        ArrayNode records = o.putArray("records");
        for (Record record : batch) {
          ObjectNode r = records.addObject().put("offset", record.offset()).put("timestamp", record.timestamp());
          r.put("key", record.hasKey() ? hex(record.key()) : null);
          r.put("value", record.hasValue() ? hex(record.value()) : null);
          ArrayNode headers = r.putArray("headers");
          for (var h : record.headers()) {
            headers.addArray().add(h.key()).add(h.value() == null ? null : HexFormat.of().formatHex(h.value()));
          }
        }
        out.println(JSON.writeValueAsString(o));
      }
    }
  }

  static String hex(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.duplicate().get(bytes);
    return HexFormat.of().formatHex(bytes);
  }

  static void copy(Path from, Path to) throws Exception {
    Files.createDirectories(to);
    try (var files = Files.list(from)) {
      for (Path file : files.toList()) {
        if (file.toString().endsWith(".deleted")) continue;
        Files.copy(file, to.resolve(file.getFileName()), StandardCopyOption.REPLACE_EXISTING);
      }
    }
  }

  static void old(Path file, byte magic, Compression codec) throws Exception {
    Files.createDirectories(file.getParent());
    MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(4096), magic, codec,
        TimestampType.CREATE_TIME, 0L);
    for (SimpleRecord record : records(5, magic)) {
      builder.append(magic == 0 ? RecordBatch.NO_TIMESTAMP : record.timestamp(), record.key(), record.value());
    }
    ByteBuffer buffer = builder.build().buffer();
    byte[] bytes = new byte[buffer.remaining()];
    buffer.get(bytes);
    Files.write(file, bytes);
  }

  /** What a KRaft quorum writes into its log between the records. */
  static void control(Path file) throws Exception {
    Files.createDirectories(file.getParent());
    LeaderChangeMessage leader = new LeaderChangeMessage().setVersion((short) 0).setLeaderId(2)
        .setVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(1),
            new LeaderChangeMessage.Voter().setVoterId(2)));
    try (var out = Files.newOutputStream(file)) {
      for (MemoryRecords records : new MemoryRecords[] {
          MemoryRecords.withLeaderChangeMessage(0L, TIME.now, 4, ByteBuffer.allocate(512), leader),
          MemoryRecords.withKRaftVersionRecord(1L, TIME.now, 4, ByteBuffer.allocate(512),
              new KRaftVersionRecord().setVersion((short) 0).setKRaftVersion((short) 1)),
          MemoryRecords.withSnapshotHeaderRecord(2L, TIME.now, 4, ByteBuffer.allocate(512),
              new SnapshotHeaderRecord().setVersion((short) 0).setLastContainedLogTimestamp(7L))}) {
        ByteBuffer buffer = records.buffer();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        out.write(bytes);
      }
    }
  }

  public static void main(String[] args) throws Exception {
    Path out = Path.of(args[0]);
    Path work = Files.createTempDirectory("generate");
    UnifiedLog mixed = mixed(work.resolve("mixed-0"));
    mixed.flush(true);
    copy(work.resolve("mixed-0"), out.resolve("mixed-unclean-0"));
    try (PrintWriter lines = new PrintWriter(out.resolve("mixed.ndjson").toFile())) { describe(mixed, lines); }
    mixed.close();
    copy(work.resolve("mixed-0"), out.resolve("mixed-0"));
    UnifiedLog compacted = compacted(work.resolve("compacted-1"));
    try (PrintWriter lines = new PrintWriter(out.resolve("compacted.ndjson").toFile())) { describe(compacted, lines); }
    compacted.close();
    copy(work.resolve("compacted-1"), out.resolve("compacted-1"));
    for (byte magic = 0; magic < 2; magic++) {
      old(out.resolve("old-" + magic + "/00000000000000000000.log"), magic,
          magic == 0 ? Compression.NONE : Compression.gzip().build());
    }
    control(out.resolve("control-0/00000000000000000000.log"));
    Map<TopicPartition, Long> offsets =
        Map.of(new TopicPartition("mixed", 0), mixed.logEndOffset(), new TopicPartition("compacted", 1), compacted.logEndOffset());
    for (String name : new String[] {"recovery-point", "replication", "log-start"}) {
      File file = out.resolve(name + "-offset-checkpoint").toFile();
      new OffsetCheckpointFile(file, null).write(offsets);
    }
    MetaProperties meta = new MetaProperties.Builder().setVersion(MetaPropertiesVersion.V1)
        .setClusterId("4L6g3nShT-eMCtK--X86sw").setNodeId(3).setDirectoryId(new Uuid(11, 12)).build();
    PropertiesUtils.writePropertiesFile(meta.toProperties(), out.resolve("meta.properties").toString(), false);
  }
}
