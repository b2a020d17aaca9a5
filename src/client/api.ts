// Generated from openapi.yaml by `npm run openapi`. Do not edit.
export interface components {
    schemas: {
        /** Problem */
        Problem: {
            /** @description `urn:graft:error:` and the code */
            type: string;
            title: string;
            status: number;
            /**
             * @description Stable; for programs
             * @enum {string}
             */
            code: "invalid_request" | "invalid_json" | "invalid_multipart" | "missing_file" | "unauthorized" | "forbidden" | "cross_site" | "host_not_allowed" | "not_found" | "method_not_allowed" | "request_timeout" | "too_large" | "unsupported_media_type" | "range_not_satisfiable" | "client_closed_request" | "dataset_not_found" | "example_not_found" | "dataset_in_use" | "not_an_archive" | "archive_damaged" | "archive_encrypted" | "archive_unsafe" | "archive_too_large" | "archive_empty" | "no_examples" | "no_labels" | "ambiguous_layout" | "digest_mismatch" | "content_invalid" | "content_too_large" | "content_unsupported" | "job_not_found" | "job_finished" | "idempotency_key_reused" | "too_few_classes" | "too_few_examples" | "class_without_training_examples" | "setting_conflict" | "training_diverged" | "engine_unavailable" | "job_crashed" | "job_timeout" | "job_kind_unknown" | "job_cancelled" | "model_not_found" | "version_not_found" | "alias_not_found" | "alias_conflict" | "format_unavailable" | "model_in_use" | "version_in_use" | "version_damaged" | "backbone_not_found" | "backbone_invalid" | "backbone_in_use" | "backbone_mismatch" | "download_failed" | "rate_limited" | "too_many_jobs" | "quota_exceeded" | "overloaded" | "storage_full" | "queue_unavailable" | "shutting_down" | "redis_missing" | "redis_failed" | "process_failed" | "data_folder_in_use" | "config_invalid" | "internal";
            /** @description What was wrong, where, and what to do */
            detail: string;
            request_id: string;
        } & {
            [key: string]: unknown;
        };
        Alias: {
            /**
             * @description Name of an alias, such as `production`: lower-case letters, digits, `.`, `_` and `-`
             * @example production
             */
            alias: string;
            /**
             * @description Number of a version
             * @example 1
             */
            version: number;
            /** @description What it pointed at before; null: nothing */
            previous: number | null;
        };
        BackboneCatalog: {
            data: components["schemas"]["CatalogRow"][];
            has_more: boolean;
            /** @description Whether this key may pull them (ALLOW_PULL) */
            pull_allowed: boolean;
        };
        CatalogRow: {
            /** @description Id of a backbone */
            id: string;
            /** @description Name for people */
            name: string;
            family: string;
            /** @description Size of the download */
            bytes: number;
            license: string;
            imagenet_top1: number | null;
            gmacs: number | null;
            good_for: string | null;
            input_px: number;
            note: string | null;
            installed: boolean;
        };
        CreateJob: {
            /** @description Id of a data set */
            dataset: string;
            /**
             * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
             * @example my-first
             */
            model: string;
            /** @description Id of a backbone */
            backbone?: string;
            /**
             * @description Default: `auto`
             * @enum {string}
             */
            head?: "auto" | "linear" | "mlp" | "prototype";
            /**
             * @description none: the backbone stays as it is; top: its last blocks are trained with the head; all: every layer, which needs TensorFlow's native library where the worker runs. Default: `none`
             * @enum {string}
             */
            trainable?: "none" | "top" | "all";
            /**
             * @description Where the trained layers start (`trainable: top` or `all`): at the weights of the backbone, or at random ones. Default: `pretrained`
             * @enum {string}
             */
            weights?: "pretrained" | "random";
            hyperparameters?: {
                /** @description auto: L-BFGS for `linear`, Adam for `mlp` or when a rate is given. Default: `auto` */
                optimizer?: "auto" | ("lbfgs" | "adam");
                /** @description Most passes over the training examples (L-BFGS: most iterations). Default: `auto` */
                epochs?: "auto" | number;
                /** @description Examples per step of Adam. Default: `auto` */
                batch_size?: "auto" | number;
                /** @description Step size of Adam. Default: `auto` */
                learning_rate?: "auto" | number;
                /** @description How the step size changes: not at all; along half a cosine to 0; to a fifth after two epochs without a better validation loss. auto: constant for a head, cosine for the top of a backbone. Default: `auto` */
                learning_rate_schedule?: "auto" | ("constant" | "cosine" | "plateau");
                /** @description L2 penalty λ in mean loss + λ/2 · |W|²; auto: chosen on validation. Default: `auto` */
                weight_decay?: "auto" | number;
                /** @description Share of the units of each hidden layer that is left out per step (`mlp`). Default: `auto` */
                dropout?: "auto" | number;
                /** @description Width of the hidden layer, or of several, one after another (`mlp`); auto: 256. Default: `auto` */
                hidden_units?: "auto" | (number | number[]);
                /** @description Epochs without a better validation loss before stopping; 0: never. Default: `auto` */
                early_stopping?: "auto" | number;
                /** @description none, balanced (every class counts the same) or a weight per label; auto: none. Default: `auto` */
                class_weights?: "auto" | (("none" | "balanced") | {
                    [key: string]: number;
                });
                /** @description Blocks at the top of the backbone that are trained (`trainable: top`); auto: 2, or 1 where it has no more. Default: `auto` */
                trainable_blocks?: "auto" | number;
                /** @description Varied copies of the training examples; auto: none. Default: `auto` */
                augmentation?: ("auto" | "none") | {
                    /** @description Varied copies of each training example. Default: `2` */
                    copies?: number;
                    /** @description Mirror left to right, half of the time. Default: `true` */
                    flip?: boolean;
                    /** @description Largest share of each side cut away. Default: `0.2` */
                    crop?: number;
                    /** @description Largest zoom in or out, as a share. Default: `0` */
                    zoom?: number;
                    /** @description Largest angle, degrees. Default: `0` */
                    rotation?: number;
                    /** @description Largest shear, as a share of the height. Default: `0` */
                    shear?: number;
                };
            };
            /** @description Default: `0` */
            seed?: number;
            /** @description Share for choosing settings; auto: cross-validation */
            validation_fraction?: number;
            /** @description Share held out, if there is no test split; auto: 0.2, or none of fewer than 300 examples, which are cross-validated */
            test_fraction?: number;
            /**
             * @description Examples of the final fit, once the settings are chosen; figures always come from unseen examples. Default: `train_validation`
             * @enum {string}
             */
            refit?: "none" | "train_validation" | "all";
            description?: string;
        };
        Dataset: {
            /** @description Id of a data set */
            id: string;
            name: string | null;
            /**
             * Format: date-time
             * @description RFC 3339
             */
            created_at: string;
            /** @description Who did it: 16 hexadecimal digits that stand for an API key, `local` without keys */
            by: string;
            /** @description Kind of content: image or text */
            modality: string;
            /** @enum {string} */
            archive_format: "zip" | "tar" | "tar.gz" | "tar.zst" | "table" | "table.gz";
            /** @description Size of the archive as uploaded */
            bytes: number;
            /** @description SHA-256 of the archive as uploaded */
            sha256: string;
            /** @description Examples kept, each content once */
            examples: number;
            /** @description Of these, examples whose content came under several labels: training leaves them out */
            conflicts: number;
            /** @description Size of the contents as stored */
            stored_bytes: number;
            splits: {
                train: number;
                validation: number;
                test: number;
            } | null;
            /** @description How the archive was understood */
            layout: {
                /** @enum {string} */
                kind: "class_folders" | "split_folders" | "labels_file" | "names" | "text_table";
                /** @description Folder of the archive under which the classes or splits lie; empty: the top */
                root: string;
                /** @description The table, or the tables, that gave the labels */
                labels_file?: string;
                columns_used?: string[];
                columns_unused?: string[];
                /** @description What names the split of each example; absent: nothing does */
                split_from?: string;
                /** @description Folders with files that got no label, and how many; empty: the top */
                left_out?: {
                    folder: string;
                    files: number;
                }[];
            };
            refused_count: number;
            duplicate_count: number;
            class_count: number;
            /**
             * @description Number of the stored shape
             * @enum {number}
             */
            format: 1;
            classes: {
                label: string;
                /** @description Examples to train and test on; without those with several labels */
                examples: number;
                /** @description Paths of some of them, to look at */
                names?: string[];
                /** @description SHA-256 of these, in the same order: where their content is */
                digests?: string[];
                splits?: {
                    train: number;
                    validation: number;
                    test: number;
                };
            }[];
            /** @description Every file that was not taken, and why */
            refused: {
                /** @description Path inside the archive */
                name: string;
                /** @description Stable reason */
                code: string;
                /** @description The reason as a sentence */
                reason: string;
            }[];
            /** @description Every file whose bytes occur more than once */
            duplicates: {
                /** @description Path of the file that was left out */
                name: string;
                /** @description Path of the file with the same bytes that was kept */
                same_as: string;
                /**
                 * @description same_class: the first file is kept; across_splits: the held-out one; other_label: both labels are kept as one example, which is left out of training where an example has one label: look at it
                 * @enum {string}
                 */
                kind: "same_class" | "across_splits" | "other_label";
            }[];
            /** @description Files of the operating system (.DS_Store, Thumbs.db, __MACOSX) */
            ignored: number;
            warnings: string[];
        };
        DatasetSummary: {
            /** @description Id of a data set */
            id: string;
            name: string | null;
            /**
             * Format: date-time
             * @description RFC 3339
             */
            created_at: string;
            /** @description Who did it: 16 hexadecimal digits that stand for an API key, `local` without keys */
            by: string;
            /** @description Kind of content: image or text */
            modality: string;
            /** @enum {string} */
            archive_format: "zip" | "tar" | "tar.gz" | "tar.zst" | "table" | "table.gz";
            /** @description Size of the archive as uploaded */
            bytes: number;
            /** @description SHA-256 of the archive as uploaded */
            sha256: string;
            /** @description Examples kept, each content once */
            examples: number;
            /** @description Of these, examples whose content came under several labels: training leaves them out */
            conflicts: number;
            /** @description Size of the contents as stored */
            stored_bytes: number;
            splits: {
                train: number;
                validation: number;
                test: number;
            } | null;
            /** @description How the archive was understood */
            layout: {
                /** @enum {string} */
                kind: "class_folders" | "split_folders" | "labels_file" | "names" | "text_table";
                /** @description Folder of the archive under which the classes or splits lie; empty: the top */
                root: string;
                /** @description The table, or the tables, that gave the labels */
                labels_file?: string;
                columns_used?: string[];
                columns_unused?: string[];
                /** @description What names the split of each example; absent: nothing does */
                split_from?: string;
                /** @description Folders with files that got no label, and how many; empty: the top */
                left_out?: {
                    folder: string;
                    files: number;
                }[];
            };
            refused_count: number;
            duplicate_count: number;
            class_count: number;
        };
        DatasetSummaryList: {
            data: components["schemas"]["DatasetSummary"][];
            has_more: boolean;
        };
        HeldOutPrediction: {
            /** @description SHA-256, hexadecimal */
            sha256: string;
            /** @description Path inside the archive */
            name: string;
            /** @description Labels that it has */
            labels: string[];
            /** @description Label that the version gave it */
            predicted: string;
            /** @description Probabilities to 6 digits, the likeliest label first: of all labels up to 100, else of the ten likeliest and of its own */
            scores: {
                label: string;
                score: number;
            }[];
        };
        HeldOutPredictionList: {
            data: components["schemas"]["HeldOutPrediction"][];
            has_more: boolean;
        };
        Job: {
            /** @description Id of a job */
            id: string;
            /** @description What the job does: `train`, `intake` of an upload, or `pull` of a backbone, or `recommend` of one for a data set; later releases add others */
            kind: string;
            /** @description Who did it: 16 hexadecimal digits that stand for an API key, `local` without keys */
            by: string;
            /** @enum {string} */
            status: "queued" | "running" | "succeeded" | "failed" | "cancelled";
            phase: string | null;
            progress: number;
            examples: {
                done: number;
                total: number;
                cached: number;
                per_second: number | null;
            } | null;
            seconds_left: number | null;
            queue_position: number | null;
            metrics: {
                /** @enum {string} */
                head: "linear" | "mlp" | "prototype";
                epoch: number;
                train_loss: number;
                validation_loss: number | null;
                validation_accuracy: number | null;
            } | null;
            dataset: string | null;
            model: string | null;
            version: number | null;
            backbone: string | null;
            settings: {
                /**
                 * @default auto
                 * @enum {string}
                 */
                head?: "auto" | "linear" | "mlp" | "prototype";
                /**
                 * @description none: the backbone stays as it is; top: its last blocks are trained with the head; all: every layer, which needs TensorFlow's native library where the worker runs
                 * @default none
                 * @enum {string}
                 */
                trainable?: "none" | "top" | "all";
                /**
                 * @description Where the trained layers start (`trainable: top` or `all`): at the weights of the backbone, or at random ones
                 * @default pretrained
                 * @enum {string}
                 */
                weights?: "pretrained" | "random";
                hyperparameters?: {
                    /**
                     * @description auto: L-BFGS for `linear`, Adam for `mlp` or when a rate is given
                     * @default auto
                     */
                    optimizer?: "auto" | ("lbfgs" | "adam");
                    /**
                     * @description Most passes over the training examples (L-BFGS: most iterations)
                     * @default auto
                     */
                    epochs?: "auto" | number;
                    /**
                     * @description Examples per step of Adam
                     * @default auto
                     */
                    batch_size?: "auto" | number;
                    /**
                     * @description Step size of Adam
                     * @default auto
                     */
                    learning_rate?: "auto" | number;
                    /**
                     * @description How the step size changes: not at all; along half a cosine to 0; to a fifth after two epochs without a better validation loss. auto: constant for a head, cosine for the top of a backbone
                     * @default auto
                     */
                    learning_rate_schedule?: "auto" | ("constant" | "cosine" | "plateau");
                    /**
                     * @description L2 penalty λ in mean loss + λ/2 · |W|²; auto: chosen on validation
                     * @default auto
                     */
                    weight_decay?: "auto" | number;
                    /**
                     * @description Share of the units of each hidden layer that is left out per step (`mlp`)
                     * @default auto
                     */
                    dropout?: "auto" | number;
                    /**
                     * @description Width of the hidden layer, or of several, one after another (`mlp`); auto: 256
                     * @default auto
                     */
                    hidden_units?: "auto" | (number | number[]);
                    /**
                     * @description Epochs without a better validation loss before stopping; 0: never
                     * @default auto
                     */
                    early_stopping?: "auto" | number;
                    /**
                     * @description none, balanced (every class counts the same) or a weight per label; auto: none
                     * @default auto
                     */
                    class_weights?: "auto" | (("none" | "balanced") | {
                        [key: string]: number;
                    });
                    /**
                     * @description Blocks at the top of the backbone that are trained (`trainable: top`); auto: 2, or 1 where it has no more
                     * @default auto
                     */
                    trainable_blocks?: "auto" | number;
                    /**
                     * @description Varied copies of the training examples; auto: none
                     * @default auto
                     */
                    augmentation?: ("auto" | "none") | {
                        /**
                         * @description Varied copies of each training example
                         * @default 2
                         */
                        copies?: number;
                        /**
                         * @description Mirror left to right, half of the time
                         * @default true
                         */
                        flip?: boolean;
                        /**
                         * @description Largest share of each side cut away
                         * @default 0.2
                         */
                        crop?: number;
                        /**
                         * @description Largest zoom in or out, as a share
                         * @default 0
                         */
                        zoom?: number;
                        /**
                         * @description Largest angle, degrees
                         * @default 0
                         */
                        rotation?: number;
                        /**
                         * @description Largest shear, as a share of the height
                         * @default 0
                         */
                        shear?: number;
                    };
                };
                /** @default 0 */
                seed?: number;
                /** @description Share for choosing settings; auto: cross-validation */
                validation_fraction?: number;
                /** @description Share held out, if there is no test split; auto: 0.2, or none of fewer than 300 examples, which are cross-validated */
                test_fraction?: number;
                /**
                 * @description Examples of the final fit, once the settings are chosen; figures always come from unseen examples
                 * @default train_validation
                 * @enum {string}
                 */
                refit?: "none" | "train_validation" | "all";
                description?: string;
            } | null;
            output: {
                [key: string]: unknown;
            } | null;
            cancel_requested: boolean;
            /** @description Times the job was started */
            attempt: number;
            error: {
                code: string;
                message: string;
                /** @description Where it was, such as the files that were refused */
                details?: {
                    [key: string]: unknown;
                };
            } | null;
            accuracy: number | null;
            accuracy_interval: number[] | null;
            baseline_accuracy: number | null;
            /** @description Paths of what belongs to it: itself, events, report, predict, card, artifact */
            links?: {
                [key: string]: string;
            };
            /**
             * Format: date-time
             * @description RFC 3339
             */
            created_at: string;
            started_at: string | null;
            finished_at: string | null;
        };
        JobEvent: {
            seq: number;
            /**
             * Format: date-time
             * @description RFC 3339
             */
            at: string;
            /** @enum {string} */
            type: "created" | "started" | "phase" | "epoch" | "selected" | "warning" | "restarted" | "cancel_requested" | "succeeded" | "failed" | "cancelled";
            message: string;
            data: {
                [key: string]: unknown;
            };
        };
        JobEventList: {
            data: components["schemas"]["JobEvent"][];
            has_more: boolean;
        };
        JobList: {
            data: components["schemas"]["Job"][];
            has_more: boolean;
        };
        /** @description How the archive is to be understood; overrules every guess */
        LayoutWanted: {
            /** @enum {string} */
            kind?: "folders" | "table" | "names";
            /** @description Path of the table in the archive */
            table?: string;
            columns?: {
                /** @description A column by its header, or by its place: the first is 1 */
                file?: string | number;
                /** @description A column by its header, or by its place: the first is 1 */
                text?: string | number;
                /** @description A column by its header, or by its place: the first is 1 */
                label?: string | number;
                labels?: (string | number)[];
                /** @description A column by its header, or by its place: the first is 1 */
                split?: string | number;
            };
            /** @description Whether the first line of the table names its columns */
            header?: boolean;
            delimiter?: string;
            /** @description Of the table, such as `shift_jis` */
            encoding?: string;
            /** @description Of names in a zip, such as `cp866` */
            code_page?: string;
            /** @description Of names, for the kind `names`: `{label}_{number}`, with one `*` at most */
            pattern?: string;
            /** @description Names of folders, or values of the column of splits, and the split that each means */
            splits?: {
                [key: string]: "train" | "validation" | "test";
            };
        };
        Model: {
            /**
             * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
             * @example my-first
             */
            name: string;
            latest: components["schemas"]["VersionManifest"];
            /** @description Newest first */
            versions: number[];
            aliases: {
                /**
                 * @description Name of an alias, such as `production`: lower-case letters, digits, `.`, `_` and `-`
                 * @example production
                 */
                alias: string;
                /**
                 * @description Number of a version
                 * @example 1
                 */
                version: number;
            }[];
        };
        ModelSummary: {
            /**
             * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
             * @example my-first
             */
            name: string;
            latest: components["schemas"]["VersionManifest"];
            /** @description Newest first */
            versions: number[];
        };
        ModelSummaryList: {
            data: components["schemas"]["ModelSummary"][];
            has_more: boolean;
        };
        Prediction: {
            /**
             * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
             * @example my-first
             */
            model: string;
            /**
             * @description Number of a version
             * @example 1
             */
            version: number;
            /** @description Id of a backbone */
            backbone: string;
            /** @description One per example, in order */
            results: {
                /** @description File name in the form, or the place in the request */
                name: string;
                predictions: {
                    label: string;
                    score: number;
                }[];
                explanation?: {
                    /** @description The class that is explained */
                    label: string;
                    map?: {
                        width: number;
                        height: number;
                        /** @description PNG as a data URL (`data:image/png;base64,…`) */
                        png: string;
                        /** @description Value of black (0) */
                        min: number;
                        /** @description Value of white (65535) */
                        max: number;
                        bias: number;
                        /** @description Score of the class before the softmax */
                        logit: number;
                    } | null;
                    overlay?: {
                        width: number;
                        height: number;
                        /** @description PNG as a data URL (`data:image/png;base64,…`) */
                        png: string;
                        /** @description Value plus bias ± from which on the colour is full */
                        limit: number;
                    } | null;
                    /** @description What each word adds to the score of the class, in order. Exact: the shares and `bias` add up to `logit`; at most 1,000 words are named */
                    words?: {
                        /** @description What stands between two blanks */
                        text: string;
                        /** @description Where it begins in the text, in UTF-16 units */
                        start: number;
                        /** @description Where it ends */
                        end: number;
                        /** @description What it adds to the score of the class */
                        share: number;
                    }[];
                    /** @description Of texts: what the class scores without any word */
                    bias?: number;
                    /** @description Of texts: score of the class before the softmax, over the mean of all classes */
                    logit?: number;
                    no_map?: string | null;
                    /** @description The training examples that are most alike, best first */
                    nearest: {
                        /** @description SHA-256, hexadecimal */
                        sha256: string;
                        /** @description Path inside the archive of the data set */
                        name: string;
                        label: string;
                        /** @description Cosine of the standardised features, −1 to 1 */
                        similarity: number;
                    }[];
                    /** @description Training examples that the version remembers; 0: its top was trained, or it is older than this */
                    nearest_among: number;
                };
                /** @description Why it has no predictions; only with `partial` */
                error?: {
                    code: string;
                    detail: string;
                };
            }[];
            timings: {
                decode_ms: number;
                queue_ms: number;
                inference_ms: number;
                total_ms: number;
            };
        };
        PullBackbone: {
            /** @description A network of the catalog */
            id: string;
            /**
             * @description Jobs that name no backbone use it from then on, on every server
             * @default false
             */
            default?: boolean;
        };
        Report: {
            /**
             * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
             * @example my-first
             */
            model: string;
            /** @description Id of a job */
            job: string;
            dataset: {
                /** @description Id of a data set */
                id: string;
                sha256: string;
                examples: number;
                /** @description Of these, examples that took no part: they came under several labels */
                conflicts: number;
                classes: number;
            };
            backbone: {
                /** @description Id of a backbone */
                id: string;
                /** @description SHA-256, hexadecimal */
                sha256: string;
                dimensions: number;
            };
            engines: {
                backbone: string;
                head: string;
            };
            split: {
                /** @enum {string} */
                source: "given" | "seeded";
                train: number;
                validation: number;
                test: number;
                /** @description Folds of the cross-validation that chose the settings; 0: none */
                folds: number;
                /** @description Examples of the final fit, varied copies not counted */
                final_fit: number;
            };
            /** @description The exact settings of the final fit */
            settings: {
                [key: string]: unknown;
            };
            /** @description What was compared to choose the settings */
            candidates: {
                /** @enum {string} */
                head: "linear" | "mlp" | "prototype";
                weight_decay: number | null;
                accuracy: number;
                log_loss: number;
                /** @enum {string} */
                trainable?: "top" | "all";
                /** @description On the test part, where there are two to compare */
                test_accuracy?: number;
            }[];
            augmentation?: {
                /** @description Varied copies of training examples that were fitted on */
                copies: number;
                accuracy: number;
                /** @description Of the best head fitted without the copies */
                accuracy_without: number;
                /** @description Difference, percent points */
                gain_points: number;
                log_loss: number;
                log_loss_without: number;
            } | null;
            evaluation: {
                /** @enum {string} */
                on: "test" | "validation" | "cross_validation";
                examples: number;
                accuracy: number;
                /** @description 95 % interval of the accuracy, from and to (Wilson) */
                accuracy_interval?: number[];
                /** @description What guessing gets: always answering the most frequent class */
                baseline_accuracy?: number;
                /** @description Classes that no held-out example tests: nothing is known of them */
                untested?: string[];
                top_5_accuracy: number;
                balanced_accuracy: number | null;
                macro_f1: number | null;
                log_loss: number;
                classes: {
                    label: string;
                    precision: number | null;
                    recall: number | null;
                    f1: number | null;
                    /** @description Held-out examples */
                    support: number;
                    train_examples: number;
                }[];
                confusion: {
                    labels: string[];
                    /** @description Row: true class; column: predicted class */
                    matrix: number[][];
                };
                calibration: {
                    temperature: number;
                    /** @description ECE, 10 bins */
                    expected_error: number;
                    bins: {
                        confidence: number;
                        accuracy: number;
                        examples: number;
                    }[];
                };
            } | null;
            /** @description What is likely wrong with the data */
            data?: {
                /** @description Labels that are worth a look, the surest first, at most 200 */
                label_errors: {
                    /** @description Examples whose label was judged, by heads that had not seen them */
                    judged: number;
                    total: number;
                    /** @description Share of them that is expected to be wrong, 0 to 1 */
                    expected_wrong?: number;
                    items: {
                        /** @description Path inside the archive */
                        name: string;
                        label: string;
                        /** @enum {string} */
                        split: "train" | "validation" | "test";
                        /** @description The label that fits better */
                        suggested: string;
                        /** @description Probability of the suggested label */
                        confidence: number;
                        /** @description Probability of the label it has */
                        given: number;
                        /** @description Probability that its label is wrong */
                        wrong?: number;
                    }[];
                };
                /** @description Copies of one photo: re-encoded, resized, mirrored or cropped a little; at most 100 groups, the worst first */
                near_duplicates: {
                    /** @description Examples that were compared with each other; of more than 30,000, so many */
                    compared: number;
                    /** @description Groups of copies */
                    total: number;
                    /** @description Of these, groups in more than one part */
                    across_splits: number;
                    /** @description Of these, groups with more than one label */
                    contradictions: number;
                    /** @description Test examples with a copy in training or validation: they make accuracy look better than it is */
                    leaked_test_examples: number;
                    items: {
                        across_splits: boolean;
                        /** @description Its examples have different labels: one is wrong */
                        contradiction: boolean;
                        /** @description At most 20 */
                        examples: {
                            /** @description Path inside the archive */
                            name: string;
                            label: string;
                            /** @enum {string} */
                            split: "train" | "validation" | "test";
                        }[];
                    }[];
                };
                /** @description Classes with fewer than 10 training examples, the smallest first, at most 100 */
                small_classes: {
                    total: number;
                    items: {
                        label: string;
                        training_examples: number;
                    }[];
                };
                /** @description Pairs taken for each other beyond chance, by heads that had not seen them, at most 50 */
                confusable_classes: {
                    total: number;
                    items: {
                        /** @description Two */
                        labels: string[];
                        /** @description Examples of the first that were taken for the second, and the other way round */
                        confused: number[];
                        /** @description Of the examples of both */
                        share: number;
                    }[];
                };
                /** @description Examples far from everything, the farthest first, at most 50: do they belong? */
                outliers: {
                    total: number;
                    items: {
                        /** @description Path inside the archive */
                        name: string;
                        label: string;
                        /** @enum {string} */
                        split: "train" | "validation" | "test";
                        /** @description To its neighbours, as a multiple of theirs to their own */
                        distance: number;
                    }[];
                };
                /** @description Examples with little or nothing in them, at most 50 */
                odd_examples: {
                    total: number;
                    items: {
                        /** @description Path inside the archive */
                        name: string;
                        label: string;
                        /** @enum {string} */
                        split: "train" | "validation" | "test";
                        /** @description Such as `has one colour all over` */
                        reason: string;
                    }[];
                };
                /** @description What finding this took */
                seconds: number;
            };
            compared?: {
                /**
                 * @description Number of a version
                 * @example 1
                 */
                version: number;
                /** @description The alias that names that version; null: it was the latest */
                alias: string | null;
                /** @description Examples that neither version had seen */
                examples: number;
                /** @description Of this version on these */
                accuracy: number;
                /** @description Of that version on these */
                accuracy_before: number;
                only_new_right: number;
                only_old_right: number;
                /** @enum {string} */
                verdict: "better" | "alike" | "worse";
            } | null;
            /** @description What would help most, the surest first */
            advice?: {
                /** @enum {string} */
                kind: "more_examples" | "stronger_backbone" | "merge_classes";
                /** @description The classes that it is about */
                labels: string[];
                /** @description Id of a backbone */
                backbone?: string;
                sentence: string;
            }[];
            curves: {
                epoch: number;
                train_loss: number;
                train_accuracy: number;
                validation_loss: number | null;
                validation_accuracy: number | null;
            }[];
            timings: {
                features_seconds: number;
                examples_per_second: number | null;
                examples_cached: number;
                head_seconds: number;
                total_seconds: number;
            };
            /** @description Examples that could not be decoded when training */
            skipped: {
                /** @description Path inside the archive */
                name: string;
                /** @description Stable reason */
                code: string;
                /** @description The reason as a sentence */
                reason: string;
            }[];
            warnings: string[];
            /**
             * Format: date-time
             * @description RFC 3339
             */
            created_at: string;
        };
        ServedBackbone: {
            /** @description Id of a backbone */
            id: string;
            /** @description Name for people */
            name: string;
            /** @description Kind of content that it takes, such as `image` */
            modality: string;
            /** @description Names how content is made ready for it; another recipe gives other features */
            recipe: string;
            /** @description SHA-256, hexadecimal */
            sha256: string;
            bytes: number;
            features: {
                name: string;
                dimensions: number;
                /**
                 * @description Default: dense
                 * @default dense
                 */
                kind?: "dense" | "sparse";
                /** @description Of sparse features the last columns, which every example has; default: 0 */
                dense_columns?: number;
            };
            license: string;
            source: string;
            input?: {
                name: string;
                width: number;
                height: number;
            };
            /** @description How pixels are made: stretch the photo to the input size, or scale its short side and take the centre */
            resize?: {
                /** @enum {string} */
                mode: "stretch";
            } | {
                /** @enum {string} */
                mode: "crop";
                short_side: number;
            };
            imagenet_top1?: number | null;
            /** @description Blocks at its top that `trainable: top` can train at most */
            trainable_blocks?: number;
            /** @description Whether `trainable: all` can train it */
            trainable_all?: boolean;
            trainable_limit?: string | null;
            default: boolean;
            /** @description Whether this server has it in memory */
            loaded: boolean;
            /** @description What it runs on: cpu, cuda, webgpu */
            provider: string | null;
            /** @description What was tried before, and why it does not run there */
            unavailable_providers: string[];
        };
        ServedBackboneList: {
            data: components["schemas"]["ServedBackbone"][];
            has_more: boolean;
        };
        SetAlias: {
            /**
             * @description Number of a version
             * @example 1
             */
            version: number;
            /** @description Change it only if it points here now (null: only if it does not exist); else 412 */
            expected?: number | null;
        };
        VersionManifest: {
            /**
             * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
             * @example my-first
             */
            model: string;
            /**
             * @description Number of a version
             * @example 1
             */
            version: number;
            /**
             * Format: date-time
             * @description RFC 3339
             */
            created_at: string;
            /** @description Id of a job */
            job: string;
            /** @description Id of a data set */
            dataset: string;
            backbone: {
                /** @description Id of a backbone */
                id: string;
                /** @description SHA-256, hexadecimal */
                sha256: string;
                dimensions: number;
            };
            /** @description Kind of content that it classifies; absent: image */
            modality?: string;
            /** @enum {string} */
            head: "linear" | "mlp" | "prototype";
            /** @description The part of the backbone that was trained; absent: none */
            top?: {
                cut: {
                    /** @description Tensor of the backbone at which it is cut */
                    tensor: string;
                    /** @description Its dimensions for one image: `[channels, height, width]` of a map, `[places, channels]` of tokens */
                    dims: number[];
                    /** @description What goes past it: means of maps below the cut, which are features, too, or a map that a later block reads */
                    beside: {
                        tensor: string;
                        dims: number[];
                    }[];
                };
                /** @description Blocks behind the cut */
                blocks: number;
                /**
                 * @description Where their training started
                 * @enum {string}
                 */
                weights: "pretrained" | "random";
            };
            /** @description In the order of the outputs */
            labels: string[];
            accuracy: number | null;
            /** @description 95 % interval of the accuracy, from and to (Wilson) */
            accuracy_interval?: number[];
            /** @description What guessing gets: always answering the most frequent class */
            baseline_accuracy?: number;
            description: string | null;
            /** @description SHA-256 of the head: equal digests, equal models */
            digest: string;
            files: {
                path: string;
                bytes: number;
                /** @description SHA-256, hexadecimal */
                sha256: string;
            }[];
            /** @description Paths of what belongs to it: itself, events, report, predict, card, artifact */
            links?: {
                [key: string]: string;
            };
        };
        VersionManifestList: {
            data: components["schemas"]["VersionManifest"][];
            has_more: boolean;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    getLiveness: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getReadiness: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getService: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getMetrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listDatasets: {
        parameters: {
            query?: {
                /** @description Most rows in the answer */
                limit?: number;
                /** @description The last row of the page before: Id of a data set */
                after?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    createDataset: {
        parameters: {
            query?: {
                /** @description `true`: say how the archive is understood, and keep nothing */
                dry_run?: string;
                /** @description JSON as in the form field `layout`, for a raw body */
                layout?: string;
                /** @description What the data set is called */
                name?: string;
            };
            header?: {
                /** @description The same key and request again answer with the same data set or job */
                "idempotency-key"?: string;
                /** @description `respond-async`: answer once the archive has arrived (RFC 7240) */
                prefer?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    drawDataset: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and request again answer with the same data set or job */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getDataset: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of a data set */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    deleteDataset: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of a data set */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getExample: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of a data set */
                id: string;
                /** @description SHA-256, hexadecimal */
                sha256: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listJobs: {
        parameters: {
            query?: {
                /** @description Most rows in the answer */
                limit?: number;
                /** @description The last row of the page before: Id of a job */
                after?: string;
                status?: "queued" | "running" | "succeeded" | "failed" | "cancelled";
                /** @description What the job does: `train`, `intake` of an upload, or `pull` of a backbone, or `recommend` of one for a data set; later releases add others */
                kind?: string;
                /**
                 * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
                 * @example my-first
                 */
                model?: string;
                /** @description Id of a data set */
                dataset?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    createJob: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and request again answer with the same data set or job */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listAllJobs: {
        parameters: {
            query?: {
                /** @description Most rows in the answer */
                limit?: number;
                /** @description The last row of the page before: Id of a job */
                after?: string;
                status?: "queued" | "running" | "succeeded" | "failed" | "cancelled";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getJob: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of a job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    cancelJob: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of a job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listJobEvents: {
        parameters: {
            query?: {
                /** @description Only events with a higher `seq` */
                after?: number;
            };
            header?: never;
            path: {
                /** @description Id of a job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listModels: {
        parameters: {
            query?: {
                /** @description Most rows in the answer */
                limit?: number;
                /** @description The last row of the page before: Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64 */
                after?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getModel: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
                 * @example my-first
                 */
                model: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    deleteModel: {
        parameters: {
            query?: {
                /** @description Also where aliases name it */
                force?: boolean;
            };
            header?: never;
            path: {
                /**
                 * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
                 * @example my-first
                 */
                model: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listVersions: {
        parameters: {
            query?: {
                /** @description Most rows in the answer */
                limit?: number;
                /** @description The last row of the page before: its number */
                after?: string;
            };
            header?: never;
            path: {
                /**
                 * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
                 * @example my-first
                 */
                model: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getVersion: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
                 * @example my-first
                 */
                model: string;
                /**
                 * @description Number of a version
                 * @example 1
                 */
                version: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    deleteVersion: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
                 * @example my-first
                 */
                model: string;
                /**
                 * @description Number of a version
                 * @example 1
                 */
                version: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listHeldOutPredictions: {
        parameters: {
            query?: {
                /** @description Only examples that have this label */
                label?: string;
                /** @description Only examples that were given this label */
                predicted?: string;
                /** @description true: only mistakes; false: only what was right; default: both */
                wrong?: boolean;
                /** @description Most rows in the answer */
                limit?: number;
                /** @description The last row of the page before: SHA-256, hexadecimal */
                after?: string;
            };
            header?: never;
            path: {
                /**
                 * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
                 * @example my-first
                 */
                model: string;
                /**
                 * @description Number of a version
                 * @example 1
                 */
                version: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getReport: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
                 * @example my-first
                 */
                model: string;
                /**
                 * @description Number of a version
                 * @example 1
                 */
                version: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getReportByAlias: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
                 * @example my-first
                 */
                model: string;
                /**
                 * @description Name of an alias, such as `production`: lower-case letters, digits, `.`, `_` and `-`
                 * @example production
                 */
                alias: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getCurvesChart: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
                 * @example my-first
                 */
                model: string;
                /**
                 * @description Number of a version
                 * @example 1
                 */
                version: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getConfusionChart: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
                 * @example my-first
                 */
                model: string;
                /**
                 * @description Number of a version
                 * @example 1
                 */
                version: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getVersionFile: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
                 * @example my-first
                 */
                model: string;
                /**
                 * @description Number of a version
                 * @example 1
                 */
                version: number;
                /** @description Path, such as `labels.json`; its slashes may stay as they are */
                path: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getCard: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
                 * @example my-first
                 */
                model: string;
                /**
                 * @description Number of a version
                 * @example 1
                 */
                version: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getCardByAlias: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
                 * @example my-first
                 */
                model: string;
                /**
                 * @description Name of an alias, such as `production`: lower-case letters, digits, `.`, `_` and `-`
                 * @example production
                 */
                alias: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getArtifact: {
        parameters: {
            query?: {
                /** @description bundle: a zip of manifest, labels, head, report and model card; onnx: one file, uint8 image in, probabilities out; tfjs: a zip with the head as TensorFlow.js layers files */
                format?: "bundle" | "onnx" | "tfjs";
            };
            header?: never;
            path: {
                /**
                 * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
                 * @example my-first
                 */
                model: string;
                /**
                 * @description Number of a version
                 * @example 1
                 */
                version: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getArtifactByAlias: {
        parameters: {
            query?: {
                /** @description bundle: a zip of manifest, labels, head, report and model card; onnx: one file, uint8 image in, probabilities out; tfjs: a zip with the head as TensorFlow.js layers files */
                format?: "bundle" | "onnx" | "tfjs";
            };
            header?: never;
            path: {
                /**
                 * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
                 * @example my-first
                 */
                model: string;
                /**
                 * @description Name of an alias, such as `production`: lower-case letters, digits, `.`, `_` and `-`
                 * @example production
                 */
                alias: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    setAlias: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
                 * @example my-first
                 */
                model: string;
                /**
                 * @description Name of an alias, such as `production`: lower-case letters, digits, `.`, `_` and `-`
                 * @example production
                 */
                alias: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    deleteAlias: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
                 * @example my-first
                 */
                model: string;
                /**
                 * @description Name of an alias, such as `production`: lower-case letters, digits, `.`, `_` and `-`
                 * @example production
                 */
                alias: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    predict: {
        parameters: {
            query?: {
                /** @description Predictions per image, best first */
                top_k?: number;
                /** @description Say why, too; at most 16 images per request. With `Accept: image/png` and one image the answer is the overlay, four times as wide and as high as what the backbone sees */
                explain?: boolean;
                /** @description Label to explain; default: the predicted one */
                class?: string;
                /** @description Most similar training images to name in an explanation; default: 5, or 0 for a key without the scope `read` */
                nearest?: number;
                /** @description Answer the other images where one cannot be read; it then has an `error` */
                partial?: boolean;
            };
            header?: never;
            path: {
                /**
                 * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
                 * @example my-first
                 */
                model: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    predictWithVersion: {
        parameters: {
            query?: {
                /** @description Predictions per image, best first */
                top_k?: number;
                /** @description Say why, too; at most 16 images per request. With `Accept: image/png` and one image the answer is the overlay, four times as wide and as high as what the backbone sees */
                explain?: boolean;
                /** @description Label to explain; default: the predicted one */
                class?: string;
                /** @description Most similar training images to name in an explanation; default: 5, or 0 for a key without the scope `read` */
                nearest?: number;
                /** @description Answer the other images where one cannot be read; it then has an `error` */
                partial?: boolean;
            };
            header?: never;
            path: {
                /**
                 * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
                 * @example my-first
                 */
                model: string;
                /**
                 * @description Number of a version
                 * @example 1
                 */
                version: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    predictWithAlias: {
        parameters: {
            query?: {
                /** @description Predictions per image, best first */
                top_k?: number;
                /** @description Say why, too; at most 16 images per request. With `Accept: image/png` and one image the answer is the overlay, four times as wide and as high as what the backbone sees */
                explain?: boolean;
                /** @description Label to explain; default: the predicted one */
                class?: string;
                /** @description Most similar training images to name in an explanation; default: 5, or 0 for a key without the scope `read` */
                nearest?: number;
                /** @description Answer the other images where one cannot be read; it then has an `error` */
                partial?: boolean;
            };
            header?: never;
            path: {
                /**
                 * @description Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64
                 * @example my-first
                 */
                model: string;
                /**
                 * @description Name of an alias, such as `production`: lower-case letters, digits, `.`, `_` and `-`
                 * @example production
                 */
                alias: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listBackbones: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listBackboneCatalog: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    recommendBackbone: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and request again answer with the same data set or job */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    pullBackbone: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and request again answer with the same data set or job */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
}
