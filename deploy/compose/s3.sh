#!/bin/sh
# SeaweedFS with nothing but its S3 API on the network: its other parts have no lock on their doors. Telemetry is off.
set -eu
synced=/data/writes-are-synced

# The server remembers it: each write of an object is on the disk before it is acknowledged.
sync_every_write() {
  until echo "fs.configure -locationPrefix=/buckets/ -fsync=true -apply" \
    | weed shell -master=127.0.0.1:9333 -filer=127.0.0.1:8888 >/tmp/shell.log 2>&1; do
    sleep 1
  done
  touch "$synced"
}
[ -e "$synced" ] || sync_every_write &

exec weed -logtostderr=true server -dir=/data -ip=127.0.0.1 -ip.bind=127.0.0.1 \
  -master.telemetry=false -master.volumeSizeLimitMB=128 -master.resumeState=false \
  -volume.max=0 -volume.preStopSeconds=0 -filer.localSocket=/tmp/filer.sock \
  -s3 -s3.ip.bind=0.0.0.0 -s3.port=8333 -s3.port.iceberg=0 -s3.port.lance=0 -s3.localSocket=/tmp/s3.sock \
  -s3.config=/etc/antiphon/s3.json -s3.autoCreateBucket=false -s3.allowDeleteBucketNotEmpty=false -s3.iam=false
